using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using Spectre.Console;

namespace Fines.Host;

/// <summary>What an import ends with: the figures of the whole log, and what this run did.</summary>
internal sealed class ImportFigures
{
    public ImportFigures(FineTotals totals, double seconds, long sent, long rejected, long alreadyThere, ViewFigures views)
    {
        var balance = totals.Balance();
        (Fines, Events, Created, Penalties, Expenses) = (totals.Fines, totals.Events, Money(totals.Created), Money(totals.Penalties), Money(totals.Expenses));
        (Due, Paid, Outstanding, Open, Settled) = (Money(balance.Due), Money(balance.Paid), Money(balance.Outstanding), balance.Open, balance.Settled);
        (Overpaid, OverpaidSum, CreditCollection) = (balance.Overpaid, Money(balance.OverpaidSum), totals.CreditCollection);
        (Seconds, EventsPerSecond) = (Math.Round(seconds, 3), Math.Round(sent / Math.Max(seconds, 0.001)));
        (Rejected, AlreadyThere, Views) = (rejected, alreadyThere, views);
    }

    public int Fines { get; }

    public long Events { get; }

    public string Created { get; }

    public string Penalties { get; }

    public string Expenses { get; }

    public string Due { get; }

    public string Paid { get; }

    public string Outstanding { get; }

    public int Open { get; }

    public int Settled { get; }

    public int Overpaid { get; }

    public string OverpaidSum { get; }

    public int CreditCollection { get; }

    public double Seconds { get; }

    public double EventsPerSecond { get; }

    public long Rejected { get; }

    public long AlreadyThere { get; }

    /// <summary>The same figures as the views give them.</summary>
    public ViewFigures Views { get; }

    public void Print(bool json)
    {
        var element = JsonSerializer.SerializeToElement(this, ImportJson.Default.ImportFigures);
        if (json)
        {
            Console.WriteLine(element.GetRawText());
            return;
        }

        var table = new Table().Border(TableBorder.Simple).AddColumn("Figure").AddColumn(new TableColumn("Value").RightAligned());
        foreach (var figure in element.EnumerateObject().SelectMany(f => f.Value.ValueKind == JsonValueKind.Object ? f.Value.EnumerateObject().Select(v => ($"{f.Name}.{v.Name}", v.Value)) : [(f.Name, f.Value)]))
        {
            table.AddRow(figure.Item1, figure.Item2.ToString());
        }

        AnsiConsole.Write(table);
    }

    internal static string Money(decimal amount) => amount.ToString("0.00", CultureInfo.InvariantCulture);
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(ImportFigures))]
internal sealed partial class ImportJson : JsonSerializerContext;
