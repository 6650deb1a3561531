using System.Globalization;
using System.Text;
using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Faults.Checks;
using Orleans.EventSourced.Faults.Clients;
using Orleans.EventSourced.Faults.Cluster;
using Orleans.EventSourced.Faults.Plan;

namespace Orleans.EventSourced.Faults;

/// <summary>What a run did and found, for people.</summary>
internal sealed class Report
{
    public Report(
        FaultRunOptions options, FaultSchedule schedule, RunHistory history, IReadOnlyCollection<InjectedFault> faults, EndChecks checks, IReadOnlyList<RecordedEvent> log, IReadOnlyList<string> violations, FaultCluster cluster)
    {
        var operations = history.Operations;
        var written = log.Select(e => EventMetadata.Parse(e.Metadata).Command.Value).ToHashSet();
        var unknown = operations.Where(o => o.Outcome == Outcome.Unknown).ToList();
        var doubts = operations.Where(o => o.WasInDoubt).ToList();
        var batches = log.Count(e => e.Type == "fine-issued" && e.Stream.Key.StartsWith('B'));
        var text = new StringBuilder();
        Line($"## {options.Scenario ?? "Mixed faults"}, seed {options.Seed}, {schedule.Length.TotalMinutes:0.##} minutes, {options.Silos} silos, {options.Clients} clients");
        Line($"");
        Line($"- {operations.Count} commands: {Count(Outcome.Ok)} accepted, {Count(Outcome.Fail)} refused or surely not written, {unknown.Count} left unknown. {history.Reads} reads, {history.ReadsNotAnswered} of them not answered; {history.BadInputs} bad inputs; {checks.Mutations} mutations of sessions; {checks.Penalties} penalties that were due; {batches} batches of three events.");
        Line($"- {operations.Count(o => o.Tries > 1)} commands were sent more than once, {operations.Select(o => o.Tries).DefaultIfEmpty().Max()} times at most. In doubt at some try: {doubts.Count}; sent again, {doubts.Count(o => o.Outcome == Outcome.Ok)} of them were accepted and {doubts.Count(o => o.Outcome == Outcome.Fail)} not. Given up: {unknown.Count + checks.UnknownThenSent}; of those {checks.UnknownThenSent} were sent again at the end, and of the other {unknown.Count} the log holds {unknown.Count(o => written.Contains(o.Command))}.");
        Line($"- {checks.Repeated} accepted commands were sent once more at the end and got their first answer; {checks.CompareStates} states of the past were those that had been served.");
        Line($"- The log: {log.Count} events. Causes that are not in it: {checks.Gaps}. Silos were started again {cluster.Silos.Sum(s => s.Restarts)} times; their memory in the end: {string.Join(", ", cluster.Silos.Select(s => $"{s.Memory >> 20} MiB"))}.");
        foreach (var (kill, slowest, late) in Scenario.Failovers(faults, operations))
        {
            Line($"- kill -9 at {kill.Plan.At.TotalSeconds:0} s: all commands under way then, and those of the 10 s after it, had succeeded {late:0.00} s after the kill or within {slowest:0.00} s of their own, tries again included.");
        }

        if (faults.GroupBy(f => f.Plan.Kind).Where(g => g.Sum(f => f.Count) == 0).Select(g => g.Key).Order().ToList() is { Count: > 0 } without)
        {
            Line($"- Without effect: {string.Join(", ", without)}.");
        }

        Line($"");
        Line($"| fault | times | effects |");
        Line($"|---|---|---|");
        foreach (var kind in faults.GroupBy(f => f.Plan.Kind).OrderBy(g => g.Key))
        {
            var notes = kind.Where(f => f.Note is not null).GroupBy(f => f.Note).Select(g => $"{g.Key}: {g.Count()}");
            Line($"| {kind.Key} | {kind.Count()} | {kind.Sum(f => f.Count)}{string.Concat(notes.Select(n => "; " + n))} |");
        }

        Text = text.ToString();
        var effective = faults.Count(f => f.Count > 0);
        LastLine = string.Create(CultureInfo.InvariantCulture, $"{operations.Count} operations, {effective} faults, {unknown.Count + checks.UnknownThenSent} unknown, {violations.Count} violations");
        _violations = violations;

        int Count(Outcome outcome) => operations.Count(o => o.Outcome == outcome);
        void Line(FormattableString line) => text.AppendLine(line.ToString(CultureInfo.InvariantCulture));
    }

    private readonly IReadOnlyList<string> _violations;

    public string Text { get; }

    public string LastLine { get; }

    public Task WriteAsync(string file) => File.WriteAllTextAsync(file, $"{Text}\n{string.Concat(_violations.Select(v => $"- VIOLATION {v}\n"))}\n{LastLine}\n");
}
