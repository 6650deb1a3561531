using System.Text;
using Orleans.EventSourced.Core.Log;

namespace Orleans.EventSourced.UnitTests.History;

/// <summary>The rows of a log, which a test may change.</summary>
internal sealed class RowsOfLog : ILogInspector
{
    public List<LogRow> Log { get; } = [];

    public List<CommitRow> Commits { get; } = [];

    public List<StreamRow> Streams { get; } = [];

    public List<EventPlace> Places { get; } = [];

    /// <summary>The table that cannot be read.</summary>
    public string? Damaged { get; set; }

    public static async Task<RowsOfLog> OfAsync(ILogInspector log)
    {
        var rows = new RowsOfLog();
        rows.Log.AddRange(await log.ReadLogRowsAsync(CancellationToken.None));
        await foreach (var row in log.ReadCommitRowsAsync(CancellationToken.None))
        {
            rows.Commits.Add(row);
        }

        await foreach (var row in log.ReadStreamRowsAsync(CancellationToken.None))
        {
            rows.Streams.Add(row);
        }

        await foreach (var row in log.ReadEventPlacesAsync(CancellationToken.None))
        {
            rows.Places.Add(row);
        }

        return rows;
    }

    public void Change(int commit, Func<CommitRow, CommitRow> change) => Commits[commit] = change(Commits[commit]);

    public void ChangeEvent(int commit, int ordinal, Func<EventRow, EventRow> change) => Change(commit, c => c with { Events = [.. c.Events.Select((e, i) => i == ordinal ? change(e) : e)] });

    public void ChangeStream(string name, Func<StreamRow, StreamRow> change)
    {
        var i = Streams.FindIndex(s => Encoding.UTF8.GetString(s.Name.Span) == name);
        Streams[i] = change(Streams[i]);
    }

    public Task<IReadOnlyList<LogRow>> ReadLogRowsAsync(CancellationToken cancellationToken) => Task.FromResult<IReadOnlyList<LogRow>>(Read("log", Log));

    public IAsyncEnumerable<CommitRow> ReadCommitRowsAsync(CancellationToken cancellationToken) => Read("commits", [.. Commits.OrderBy(c => c.Position)]).ToAsyncEnumerable();

    public IAsyncEnumerable<StreamRow> ReadStreamRowsAsync(CancellationToken cancellationToken) => Read("streams", [.. Streams.OrderBy(s => s.Id)]).ToAsyncEnumerable();

    public IAsyncEnumerable<EventPlace> ReadEventPlacesAsync(CancellationToken cancellationToken) => Read("events", [.. Places.OrderBy(p => p.StreamId).ThenBy(p => p.Version)]).ToAsyncEnumerable();

    private List<T> Read<T>(string table, List<T> rows) => Damaged == table ? throw new LogMisconfiguredException($"The table {table} is damaged.") : rows;
}
