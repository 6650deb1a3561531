using System.Data;
using System.Globalization;
using Npgsql;
using Orleans.EventSourced.Benchmarks.Compare;
using Orleans.EventSourced.Benchmarks.Measures;
using Orleans.EventSourced.Benchmarks.Peers;

namespace Orleans.EventSourced.Benchmarks.Cases;

/// <summary>Appends while somebody, such as a backup, holds a snapshot open on the server: nothing that is written meanwhile can be cleaned up.</summary>
internal sealed class HeldSnapshotCase : ICase
{
    public const string CaseName = "held-snapshot";
    public const string Held = Contenders.Ours + ", snapshot held";
    public const string Free = Contenders.Ours;
    private const int Callers = 128;

    public string Name => CaseName;

    public string Title => $"one event a command, {Callers} callers, with and without a snapshot held open as long on the server";

    public Quantity Ranks => Quantity.PerSecond;

    public async Task<IReadOnlyList<Entrant>> PrepareAsync(Ground ground, CancellationToken cancellationToken)
    {
        if (ground.Store != Place.Postgres)
        {
            throw new CaseSkippedException("snapshots are held open on a server; SQLite has none.");
        }

        var ours = (Ours)await ground.ContenderAsync(Contenders.Ours, cancellationToken);
        return
        [
            new Entrant(Free, (plan, cancel) => AppendAsync(ours, "free", plan, ground.Scale.HeldSnapshot, cancel)),
            new Entrant(Held, async (plan, cancel) =>
            {
                await using var connection = new NpgsqlConnection(ours.Place.At + ";Pooling=false");
                await connection.OpenAsync(cancel);
                await using var holds = await connection.BeginTransactionAsync(IsolationLevel.RepeatableRead, cancel);
                await using var read = new NpgsqlCommand("select count(*) from es.commits", connection, holds);
                await read.ExecuteScalarAsync(cancel);
                return await AppendAsync(ours, "held", plan, ground.Scale.HeldSnapshot, cancel);
            }),
        ];
    }

    private static Task<Round> AppendAsync(Ours ours, string how, RoundPlan plan, TimeSpan time, CancellationToken cancellationToken) => ours.AppendAsync(
        new AppendLoad(string.Create(CultureInfo.InvariantCulture, $"{CaseName}-{how}-{plan.Number}"), Callers, 1, OneEntity: false, plan.Number == 0 ? plan.Time : time), cancellationToken);
}
