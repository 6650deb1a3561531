using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using Fines.Views;
using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.History;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Projections;
using Orleans.EventSourced.Core.Snapshots;
using Orleans.EventSourced.Tracing;

namespace Fines.Host;

/// <summary>How a verification runs.</summary>
/// <param name="Views">Whether the views are compared with the log too.</param>
/// <param name="Anchor">The file of an anchor that the log is compared with; null: none.</param>
/// <param name="Export">The file that gets an anchor at the log's end; null: none.</param>
/// <param name="Json">Whether the report is printed as JSON.</param>
internal sealed record VerifyOptions(bool Views, string? Anchor, string? Export, bool Json);

/// <summary>Checks the store that is configured, beside the nodes that use it or without any; nothing in it is changed, and no schema brought up to date.</summary>
internal sealed class Verify(VerifyOptions options, TimeProvider time)
{
    private const int Found = 3;
    private const int MaxPrinted = 100;
    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web) { Converters = { new JsonStringEnumConverter(JsonNamingPolicy.CamelCase) } };

    public static Command Command()
    {
        var views = new Option<bool>("--views") { Description = "Compare the rows of the views with the fold of the log too." };
        var anchor = new Option<string?>("--anchor") { Description = "The file of an anchor that was exported before: up to there the log must be what it was." };
        var export = new Option<string?>("--export-anchor") { Description = "The file that gets an anchor at the log's end, if nothing is found; keep it where nobody who can write the log can write it." };
        var json = new Option<bool>("--json") { Description = "Print the report as one JSON object." };
        var verify = new Command("verify", "Checks versions, positions, links, seals and snapshots. Exit code 0: all is as it was written; 3: something is not.") { views, anchor, export, json };
        verify.SetAction((r, cancel) => new Verify(new VerifyOptions(r.GetValue(views), r.GetValue(anchor), r.GetValue(export), r.GetValue(json)), TimeProvider.System).RunAsync(cancel));
        return verify;
    }

    /// <summary>Verifies and prints. The result is the exit code.</summary>
    public async Task<int> RunAsync(CancellationToken cancellationToken)
    {
        try
        {
            var anchor = options.Anchor is { } file ? await LogAnchor.ReadAsync(file, cancellationToken) : null;
            var builder = Microsoft.Extensions.Hosting.Host.CreateApplicationBuilder([Node.WatchNothing]);
            await using var services = Store.From(builder.Configuration).OpenToRead();
            return await RunAsync(services, anchor, cancellationToken);
        }
        catch (Exception e) when (e is InvalidDataException or IOException or UnauthorizedAccessException)
        {
            return await Verbs.FailAsync(e.Message, Verbs.BadInput);
        }
        catch (LogException e)
        {
            return await Verbs.FailAsync($"The event log cannot be verified: {e.Message}", Node.Failed);
        }
    }

    private async Task<int> RunAsync(ServiceProvider services, LogAnchor? anchor, CancellationToken cancellationToken)
    {
        var started = time.GetTimestamp();
        var codec = new JsonEventCodec(FineEventTypes.Map);
        var log = await new LogVerification(services.GetRequiredService<ILogInspector>()).RunAsync(anchor, options.Json ? null : new Shown(), cancellationToken);
        var snapshots = services.GetService<ISnapshotStore>() is { } kept && log.Head is not null
            ? await new SnapshotVerification(services.GetRequiredService<IEventLog>(), kept, codec, FineFolds.All).RunAsync(cancellationToken)
            : null;
        var views = new List<ViewVerificationReport>();
        if (options.Views && services.GetService<IViewStore>() is { } store && log.Head is not null)
        {
            foreach (var view in FineViews.Verifications.Append(ViewVerification.Of(Projection.Of<TraceRow, RecordedEvent>())))
            {
                views.Add(await view.RunAsync(store, services.GetRequiredService<IEventLog>(), codec, time, cancellationToken));
            }
        }

        var report = Report(log, snapshots, views, time.GetElapsedTime(started));
        if (report.Total == 0 && options.Export is { } file && log.Head is { } head && LogAnchor.Of(head) is { } exported)
        {
            await exported.WriteAsync(file, cancellationToken);
            report = report with { ExportedAnchor = file };
        }

        Print(report);
        return report.Total == 0 ? 0 : Found;
    }

    private static VerifyReport Report(LogVerificationReport log, SnapshotVerificationReport? snapshots, List<ViewVerificationReport> views, TimeSpan took)
    {
        FindingList[] found = [log.Findings, .. snapshots is null ? (FindingList[])[] : [snapshots.Findings], .. views.Select(v => v.Findings)];
        var (shown, total) = (found.SelectMany(f => f.Shown).Take(FindingList.MaxShown).ToList(), found.Sum(f => f.Total));
        return new VerifyReport(
            log.Head?.LogId,
            log.Head?.Position.Value ?? 0,
            log.Head?.RecordedAt,
            log.Head is { Link.IsEmpty: false } head ? Convert.ToHexStringLower(head.Link.Span) : null,
            log.Events,
            log.Commits,
            log.Unmarked,
            log.Streams,
            log.Empty,
            snapshots is null ? null : new SnapshotFigures(snapshots.Compared, snapshots.Foreign, snapshots.Unknown),
            [.. views.Select(v => new ViewFigure(v.View.Table, v.Position?.Value, v.Behind, v.Rows, v.Findings.Total))],
            shown,
            total,
            total > shown.Count,
            null,
            Math.Round(took.TotalSeconds, 3));
    }

    private void Print(VerifyReport report)
    {
        if (options.Json)
        {
            Console.WriteLine(JsonSerializer.Serialize(report, Json));
            return;
        }

        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"Log {report.LogId}: {report.Events:N0} events in {report.Commits:N0} commits and {report.Streams:N0} streams, up to position {report.Position:N0}, in {report.Seconds:N1} s."));
        if (report.Unmarked > 0)
        {
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{report.Unmarked:N0} commits are from before events had marks: a changed event is named there by its commit."));
        }

        if (report.Snapshots is { } snapshots)
        {
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"Snapshots: {snapshots.Compared:N0} compared, {snapshots.Unknown:N0} of unknown folds, {snapshots.Foreign:N0} of other logs."));
        }

        foreach (var view in report.Views)
        {
            Console.WriteLine(view.Position is null ? $"View {view.View}: no table yet." : string.Create(CultureInfo.InvariantCulture, $"View {view.View}: {view.Rows:N0} rows up to position {view.Position:N0}, {view.Behind:N0} events behind the log."));
        }

        foreach (var finding in report.Findings.Take(MaxPrinted))
        {
            Console.WriteLine(Line(finding));
        }

        Console.WriteLine(report.Total == 0 ? "All is as it was written." : string.Create(CultureInfo.InvariantCulture, $"{report.Total:N0} findings{(report.Total > MaxPrinted ? $", {MaxPrinted} of them shown" : "")}."));
        if (report.ExportedAnchor is { } anchor)
        {
            Console.WriteLine($"Anchor: {anchor}");
        }
    }

    private static string Line(Finding f)
    {
        string?[] place = [f.Row, f.Stream is null ? null : $"stream {f.Stream}", f.Version is null ? null : $"version {f.Version}", f.Position is null ? null : $"position {f.Position}"];
        return $"{f.Kind}: {f.Table}{(f.Column is null ? "" : $" ({f.Column})")}, {string.Join(", ", place.Where(p => p is not null))}: {f.Message}";
    }

    private sealed record VerifyReport(
        Guid? LogId,
        long Position,
        DateTimeOffset? RecordedAt,
        string? Link,
        long Events,
        long Commits,
        long Unmarked,
        long Streams,
        long EmptyStreams,
        SnapshotFigures? Snapshots,
        IReadOnlyList<ViewFigure> Views,
        IReadOnlyList<Finding> Findings,
        long Total,
        bool Truncated,
        string? ExportedAnchor,
        double Seconds);

    private sealed record SnapshotFigures(long Compared, long Foreign, long Unknown);

    private sealed record ViewFigure(string View, long? Position, long Behind, long Rows, long Findings);

    /// <summary>Tells how far it is where a person looks on.</summary>
    private sealed class Shown : IProgress<VerificationProgress>
    {
        public void Report(VerificationProgress value)
        {
            if (!Console.IsErrorRedirected)
            {
                Console.Error.Write(string.Create(CultureInfo.InvariantCulture, $"\r{value.Table}: {value.Events:N0} events "));
            }
        }
    }
}
