using System.Diagnostics;
using System.Text;
using System.Text.Json;
using Orleans.EventSourced.Core.History;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.IntegrationTests.Log;
using Xunit;

namespace Orleans.EventSourced.IntegrationTests.History;

/// <summary>
/// One bit of one value, in any column of any row of any table of the log, is changed behind the database's back: the verification finds it, and names the row. Each change is undone before the next.
/// </summary>
public abstract class ChangedRowsTests(ITestOutputHelper output) : IAsyncLifetime
{
    private const int Places = 1_000;
    private const int Seed = 20_261_127;
    private const int MaxTries = 100;

    protected static CancellationToken Cancel => TestContext.Current.CancellationToken;

    /// <summary>The tables of the log with the columns by which a row is addressed.</summary>
    protected static IReadOnlyDictionary<string, string[]> Tables { get; } =
        new Dictionary<string, string[]> { ["log"] = [], ["streams"] = ["id"], ["events"] = ["stream_id", "version"], ["commits"] = ["position"] };

    public abstract ValueTask InitializeAsync();

    public abstract ValueTask DisposeAsync();

    [Fact]
    public async Task one_bit_changed_at_any_of_a_thousand_places_is_found_and_named()
    {
        await AppendAsync();
        Assert.Empty((await VerifyAsync()).Findings.Shown);
        var rows = new List<ChangedRow>();
        foreach (var table in Tables.Keys)
        {
            rows.AddRange((await ReadAsync(table)).Select(values => new ChangedRow(table, values)));
        }

        var columns = rows.SelectMany(r => r.Values.Keys.Select(c => (r.Table, Column: c))).Distinct().ToList();
        var (random, withColumn, took) = (new Random(Seed), 0, TimeSpan.Zero);
        var tried = columns.ToDictionary(c => c, _ => 0);
        for (var place = 0; place < Places; place++)
        {
            var (table, column) = columns[place % columns.Count];
            var row = Pick(rows.Where(r => r.Table == table).ToList(), random);
            var changed = await ChangeAsync(row, column, random);

            var started = Stopwatch.GetTimestamp();
            var report = await VerifyAsync();
            took += Stopwatch.GetElapsedTime(started);

            var named = report.Findings.Shown.Where(f => IsNamed(f, row, changed, rows)).ToList();
            Assert.True(named.Count > 0, $"{table}.{column} from {Shown(row.Values[column])} to {Shown(changed.Values[column])} in {row}: {(report.Findings.Total == 0 ? "not found" : string.Join(" | ", report.Findings.Shown))}");
            withColumn += named.Exists(f => f.Column?.Contains(column, StringComparison.Ordinal) is true) ? 1 : 0;
            tried[(table, column)]++;
            await SetAsync(changed, column, row.Values[column]);
        }

        Assert.Empty((await VerifyAsync()).Findings.Shown);
        Assert.All(tried, t => Assert.True(t.Value >= Places / columns.Count, $"{t.Key} was tried {t.Value} times"));
        output.WriteLine($"{Places} places in {columns.Count} columns ({string.Join(", ", columns.Select(c => $"{c.Table}.{c.Column}"))}): all found and named, {withColumn} with the column; a verification took {took.TotalMilliseconds / Places:0.0} ms");
    }

    [Fact]
    public async Task a_log_that_was_cut_off_or_written_anew_is_found_by_its_anchor()
    {
        await AppendAsync();
        var anchor = LogAnchor.Of((await VerifyAsync()).Head!)!;
        Assert.Empty((await VerifyAsync(anchor)).Findings.Shown);
        await AppendAsync("later");
        Assert.Empty((await VerifyAsync(anchor)).Findings.Shown);

        Assert.Equal(FindingKind.AnchorMissed, Assert.Single((await VerifyAsync(anchor with { Position = anchor.Position + 10_000 })).Findings.Shown).Kind);
        Assert.Equal(FindingKind.AnchorMissed, Assert.Single((await VerifyAsync(anchor with { Link = new string('0', 64) })).Findings.Shown).Kind);
        Assert.Equal(FindingKind.AnchorMissed, Assert.Single((await VerifyAsync(anchor with { LogId = Guid.Empty })).Findings.Shown).Kind);
        Assert.Equal(FindingKind.AnchorMissed, Assert.Single((await VerifyAsync(anchor with { RecordedAt = anchor.RecordedAt.AddSeconds(1) })).Findings.Shown).Kind);
    }

    protected abstract ILogInspector Inspector { get; }

    protected abstract IEventLog Log { get; }

    /// <summary>All rows of a table, each value as it is stored; a text may be given as its bytes.</summary>
    protected abstract Task<List<Dictionary<string, object?>>> ReadAsync(string table);

    /// <summary>Writes a value with all that would refuse it switched off. False: a unique key refuses it.</summary>
    protected abstract Task<bool> SetAsync(ChangedRow row, string column, object? value);

    private async Task AppendAsync(string prefix = "t")
    {
        for (var i = 0; i < 4; i++)
        {
            await Log.AppendAsync([Requests.Of($"{prefix}/{i}", 1)], Cancel);
            await Log.AppendAsync([Requests.Of($"{prefix}/ä{i}", 2), Requests.Of($"{prefix}/{i}", 3), Requests.Of($"{prefix}-2/{i}", 1)], Cancel);
        }
    }

    private Task<LogVerificationReport> VerifyAsync(LogAnchor? anchor = null) => new LogVerification(Inspector).RunAsync(anchor, null, Cancel);

    private async Task<ChangedRow> ChangeAsync(ChangedRow row, string column, Random random)
    {
        for (var tries = 0; tries < MaxTries; tries++)
        {
            if (Flip(row.Values[column], random, IsJson(column)) is { } value && await SetAsync(row, column, value))
            {
                return row with { Values = new Dictionary<string, object?>(row.Values) { [column] = value } };
            }
        }

        throw new InvalidOperationException($"{row.Table}.{column} takes no other value than {Shown(row.Values[column])}.");
    }

    protected virtual bool IsJson(string column) => column is "data" or "metadata";

    /// <summary>The value with one bit flipped; null: it would be none of its kind.</summary>
    private static object? Flip(object? value, Random random, bool isJson) => value switch
    {
        null => true,
        bool b => !b,
        short n => (short)(n ^ (1 << random.Next(15))),
        int n => n ^ (1 << random.Next(31)),
        long n => n ^ (1L << random.Next(62)),
        DateTime t => DateTime.UnixEpoch.AddTicks((((t - DateTime.UnixEpoch).Ticks / 10) ^ (1L << random.Next(50))) * 10),
        Guid id => new Guid(Flip(id.ToByteArray(), random)),
        byte[] bytes => Flip([.. bytes], random),
        string text => Text(Flip(Encoding.UTF8.GetBytes(text), random), isJson),
        _ => throw new InvalidOperationException($"{value.GetType()}"),
    };

    private static byte[] Flip(byte[] bytes, Random random)
    {
        bytes[random.Next(bytes.Length)] ^= (byte)(1 << random.Next(8));
        return bytes;
    }

    private static string? Text(byte[] bytes, bool isJson)
    {
        try
        {
            var text = new UTF8Encoding(false, throwOnInvalidBytes: true).GetString(bytes);
            if (isJson)
            {
                JsonDocument.Parse(text).Dispose();
            }

            return text.Contains('\0', StringComparison.Ordinal) ? null : text;
        }
        catch (Exception e) when (e is DecoderFallbackException or JsonException)
        {
            return null;
        }
    }

    private static bool IsNamed(Finding finding, ChangedRow row, ChangedRow changed, List<ChangedRow> rows) => finding.Table == row.Table && row.Table switch
    {
        "log" => true,
        "streams" => finding.Row == $"id {row.Number("id")}" || finding.Row == $"id {changed.Number("id")}",
        "commits" => finding.Position == row.Number("position") || finding.Position == changed.Number("position"),
        "events" => IsOf(finding, row, rows) || IsOf(finding, changed, rows),
        _ => false,
    };

    private static bool IsOf(Finding finding, ChangedRow e, List<ChangedRow> rows)
    {
        var stream = rows.Find(r => r.Table == "streams" && r.Number("id") == e.Number("stream_id"));
        return finding.Version == e.Number("version") && (stream is null ? finding.Row == $"stream_id {e.Number("stream_id")}" : finding.Stream == stream.Text("name"));
    }

    private static T Pick<T>(List<T> from, Random random) => from[random.Next(from.Count)];

    private static string Shown(object? value) => value is byte[] bytes ? Convert.ToHexString(bytes) : $"{value}";

    protected sealed record ChangedRow(string Table, IReadOnlyDictionary<string, object?> Values)
    {
        public long Number(string column) => Convert.ToInt64(Values[column], null);

        public string Text(string column) => Values[column] is byte[] bytes ? Encoding.UTF8.GetString(bytes) : (string)Values[column]!;

        public override string ToString() => $"{Table} {string.Join(", ", Values.Select(v => $"{v.Key}={Shown(v.Value)}"))}";
    }
}
