using System.Globalization;
using System.Text.Json;
using Fines;
using Orleans.EventSourced.IntegrationTests.Grains;
using Xunit;

namespace Orleans.EventSourced.IntegrationTests.Processes;

/// <summary>The verbs that ask the past, and what might have been, by the real program over both stores.</summary>
[Collection("processes")]
public sealed class HistoryVerbTests(PostgresFixture postgres) : IDisposable
{
    private const int Fines = 2_000;
    private static readonly TimeSpan AtMost = TimeSpan.FromSeconds(60);
    private readonly TestFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("sqlite")]
    [InlineData("postgres")]
    public async Task what_ifs_and_views_of_the_past_come_to_what_loops_over_the_same_fines_come_to(string store)
    {
        var eventlog = store == "sqlite" ? null : await postgres.CreateDatabaseAsync();
        var import = await HostProcess.RunToEndAsync(_folder, eventlog, "generate", Fines.ToString(CultureInfo.InvariantCulture), "--json");
        Assert.True(import.Code == 0, import.Errors);
        var events = JsonDocument.Parse(import.Output).RootElement.GetProperty("events").GetInt64();
        await AssertWhatIfsAsync(_folder, eventlog, FineGenerator.Generate(Fines), events, [30], [1.25m]);
        await AssertAsOfAsync(_folder, eventlog, FineGenerator.Generate(Fines), new DateTimeOffset(2005, 12, 31, 23, 59, 59, TimeSpan.FromHours(1)), events / 2);
        Assert.Equal((2, true), Outcome(await HostProcess.RunToEndAsync(_folder, eventlog, "as-of", "--view", "fine_summary", "--position", $"{events + 1}"), $"The log ends at position {events}"));
        Assert.Equal((2, true), Outcome(await HostProcess.RunToEndAsync(_folder, eventlog, "as-of", "--view", "fine_summary", "--recorded", "1999-01-01T00:00:00Z"), "the log begins later"));
    }

    [Theory]
    [InlineData("days is 0 to 36,500", "what-if", "paid-in-time", "--days", "NaN")]
    [InlineData("factor is 0 to 1,000", "what-if", "milder-penalty", "--factor", "-1")]
    [InlineData("--view is one of", "as-of", "--view", "nothing", "--position", "1")]
    public async Task what_cannot_be_asked_is_named(string reason, params string[] arguments)
    {
        Assert.Equal(0, (await HostProcess.RunToEndAsync(_folder, null, "generate", "1")).Code);
        Assert.Equal((1, true), Outcome(await HostProcess.RunToEndAsync(_folder, null, arguments), reason));
    }

    [Fact]
    public async Task without_a_log_there_is_nothing_to_ask_and_none_is_made()
    {
        Assert.Equal(1, (await HostProcess.RunToEndAsync(_folder, null, "what-if", "milder-penalty")).Code);
        Assert.Empty(Directory.GetFileSystemEntries(_folder.Path, "*.db", SearchOption.AllDirectories));
    }

    /// <summary>Both what-ifs against loops over the same fines, within the time that a log of 561,470 events may take.</summary>
    internal static async Task AssertWhatIfsAsync(TestFolder folder, string? eventlog, IEnumerable<FineTrace> fines, long events, double[] days, decimal[] factors)
    {
        var traces = fines.ToList();
        var trunk = IndependentFigures.Of(traces, steps => steps).Shown;
        foreach (var term in days)
        {
            var expected = IndependentFigures.Of(traces, steps => steps.OfType<InsertNotification>().FirstOrDefault() is { } notified && steps.Any(s => s is RegisterPayment && s.OccurredAt - notified.OccurredAt <= term * TimeSpan.FromHours(24))
                ? steps.Where(s => s is not AddPenalty)
                : steps);
            AssertWhatIf(await HostProcess.RunToEndAsync(folder, eventlog, "what-if", "paid-in-time", "--days", term.ToString(CultureInfo.InvariantCulture), "--json"), trunk, expected.Shown, events);
        }

        foreach (var factor in factors)
        {
            var expected = IndependentFigures.Of(traces, steps => steps.Select(s => s is AddPenalty penalty ? penalty with { Amount = Cents(((IssueFine)steps[0]).Amount * factor) } : s));
            AssertWhatIf(await HostProcess.RunToEndAsync(folder, eventlog, "what-if", "milder-penalty", "--factor", factor.ToString(CultureInfo.InvariantCulture), "--json"), trunk, expected.Shown, events);
        }

        static decimal Cents(decimal amount) => Math.Floor((amount * 100) + 0.5m) / 100;
    }

    /// <summary>The view of fines as of a business time against loops over the same fines, and as of a position against loops over what SQL says.</summary>
    internal static async Task AssertAsOfAsync(TestFolder folder, string? eventlog, IEnumerable<FineTrace> fines, DateTimeOffset business, long position)
    {
        var expected = IndependentFigures.Of(fines, steps => steps.Where(s => s.OccurredAt <= business));
        AssertAsOf(await HostProcess.RunToEndAsync(folder, eventlog, "as-of", "--view", "fine_summary", "--business", business.ToString("O", CultureInfo.InvariantCulture), "--json"), expected);
        AssertAsOf(await HostProcess.RunToEndAsync(folder, eventlog, "as-of", "--view", "fine_summary", "--position", $"{position}", "--json"), await IndependentFigures.UpToAsync(eventlog, folder.Path, position));
    }

    private static void AssertWhatIf((int Code, string Output, string Errors) run, (string?, string?, string?, int, int) trunk, (string?, string?, string?, int, int) branch, long events)
    {
        Assert.True(run.Code == 0, run.Errors);
        var answer = JsonDocument.Parse(run.Output).RootElement;
        Assert.Equal(trunk, Figures(answer.GetProperty("trunk")));
        Assert.Equal(branch, Figures(answer.GetProperty("branch")));
        Assert.NotEqual(trunk, branch);
        Assert.Equal(events, answer.GetProperty("position").GetInt64());
        Assert.Equal(Number(branch.Item1) - Number(trunk.Item1), Number(Figures(answer.GetProperty("difference")).Due));
        Assert.Equal(branch.Item5 - trunk.Item5, Figures(answer.GetProperty("difference")).Settled);
        Assert.InRange(answer.GetProperty("seconds").GetDouble(), 0, AtMost.TotalSeconds);

        static decimal Number(string? text) => decimal.Parse(text!, CultureInfo.InvariantCulture);
    }

    private static void AssertAsOf((int Code, string Output, string Errors) run, IndependentFigures expected)
    {
        Assert.True(run.Code == 0, run.Errors);
        var answer = JsonDocument.Parse(run.Output).RootElement;
        Assert.Equal((expected.Fines, expected.Shown), (answer.GetProperty("rows").GetInt32(), Figures(answer)));
    }

    private static (string? Due, string? Paid, string? Outstanding, int Open, int Settled) Figures(JsonElement answer) =>
        (answer.GetProperty("due").GetString(), answer.GetProperty("paid").GetString(), answer.GetProperty("outstanding").GetString(), answer.GetProperty("open").GetInt32(), answer.GetProperty("settled").GetInt32());

    private static (int Code, bool Says) Outcome((int Code, string Output, string Errors) run, string says) => (run.Code, (run.Output + run.Errors).Contains(says, StringComparison.Ordinal));
}
