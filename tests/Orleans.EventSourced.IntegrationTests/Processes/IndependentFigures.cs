using System.Data.Common;
using System.Globalization;
using System.Text.Json;
using Fines;
using Microsoft.Data.Sqlite;
using Npgsql;

namespace Orleans.EventSourced.IntegrationTests.Processes;

/// <summary>The figures of fines by nothing but loops: over what a file says, and over what SQL says that the log has. No fold of the project is asked.</summary>
internal sealed class IndependentFigures
{
    private decimal _due;
    private decimal _paid;
    private decimal _outstanding;
    private int _open;
    private int _settled;

    /// <summary>As the verbs print them.</summary>
    public (string? Due, string? Paid, string? Outstanding, int Open, int Settled) Shown => (Money(_due), Money(_paid), Money(_outstanding), _open, _settled);

    public int Fines => _open + _settled;

    /// <summary>What the file's fines come to when the steps of each are changed.</summary>
    public static IndependentFigures Of(IEnumerable<FineTrace> fines, Func<IReadOnlyList<FineCommand>, IEnumerable<FineCommand>> change)
    {
        var figures = new IndependentFigures();
        foreach (var fine in fines)
        {
            decimal? amount = null;
            var (expenses, paid) = (0m, 0m);
            foreach (var step in change([.. fine.Steps.Select(s => s.Command)]))
            {
                switch (step)
                {
                    case IssueFine issue:
                        amount = issue.Amount;
                        break;
                    case AddPenalty penalty:
                        amount = penalty.Amount;
                        break;
                    case SendFine send:
                        expenses += send.Expense;
                        break;
                    case RegisterPayment payment:
                        paid += payment.Amount;
                        break;
                }
            }

            if (amount is { } fined)
            {
                figures.Add(fined + expenses, paid);
            }
        }

        return figures;
    }

    /// <summary>What the log's events up to a position come to, read by SQL.</summary>
    public static async Task<IndependentFigures> UpToAsync(string? eventlog, string folder, long position)
    {
        await using DbConnection connection = eventlog is null ? new SqliteConnection($"Data Source={Path.Combine(folder, "data", "eventlog.db")};Mode=ReadOnly;Pooling=False") : new NpgsqlConnection(eventlog);
        await connection.OpenAsync();
        await using var command = connection.CreateCommand();
        var schema = eventlog is null ? "" : "es.";
        command.CommandText = $"select e.stream_id, e.type, e.data from {schema}events e join {schema}commits c on c.id = e.commit_id join {schema}streams s on s.id = e.stream_id where s.type = 'fine' and c.position + e.ordinal <= {position.ToString(CultureInfo.InvariantCulture)} order by c.position, e.ordinal";
        var fines = new Dictionary<long, (decimal Amount, decimal Expenses, decimal Paid)>();
        await using (var reader = await command.ExecuteReaderAsync())
        {
            while (await reader.ReadAsync())
            {
                var (id, type, data) = (Convert.ToInt64(reader.GetValue(0), CultureInfo.InvariantCulture), reader.GetString(1), reader.GetString(2));
                var (amount, expenses, paid) = fines.GetValueOrDefault(id);
                fines[id] = type switch
                {
                    "fine-issued" or "penalty-added" => (Read(data, "amount"), expenses, paid),
                    "fine-sent" => (amount, expenses + Read(data, "expense"), paid),
                    "payment-received" => (amount, expenses, paid + Read(data, "amount")),
                    _ => (amount, expenses, paid),
                };
            }
        }

        var figures = new IndependentFigures();
        foreach (var (amount, expenses, paid) in fines.Values)
        {
            figures.Add(amount + expenses, paid);
        }

        return figures;
    }

    private static decimal Read(string data, string member)
    {
        using var document = JsonDocument.Parse(data);
        return decimal.Parse(document.RootElement.GetProperty(member).GetString()!, CultureInfo.InvariantCulture);
    }

    private static string Money(decimal amount) => amount.ToString("0.00", CultureInfo.InvariantCulture);

    private void Add(decimal due, decimal paid)
    {
        var rest = due - paid;
        (_due, _paid, _outstanding) = (_due + due, _paid + paid, _outstanding + Math.Max(rest, 0));
        (_open, _settled) = rest > 0 ? (_open + 1, _settled) : (_open, _settled + 1);
    }
}
