using System.Collections.Concurrent;
using System.Diagnostics;
using System.Reflection;
using System.Runtime;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.Logging.Console;
using Orleans.EventSourced.Commands;
using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Grains;
using Orleans.EventSourced.Hosting;
using Orleans.EventSourced.Projections;
using Spectre.Console;

namespace Fines.Host;

/// <summary>How an import runs.</summary>
/// <param name="Parallel">How many fines are worked on at a time.</param>
/// <param name="Json">Whether the figures are printed as JSON.</param>
/// <param name="Fines">How many fines there will be, where that is known.</param>
internal sealed record ImportOptions(int Parallel, bool Json, int? Fines);

/// <summary>
/// Sends the steps of fines as commands through the grains, each fine's in order, many fines at a time. A command's id comes from fine and ordinal, so that a repeated run
/// is a repeated command: it gets its first answer and writes nothing.
/// </summary>
internal sealed class Import(IGrainFactory grains, ImportOptions options, TimeProvider time)
{
    private const int MaxRejectionsShown = 10;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan FirstWait = TimeSpan.FromMilliseconds(100);
    private static readonly JsonSerializerOptions DigestJson = new() { Converters = { new MoneyJsonConverter() } };
    private static readonly ConcurrentDictionary<Type, byte[]> Names = new();
    private readonly List<string> _rejections = [];
    private long _sent;
    private long _alreadyThere;
    private long _rejected;
    private long _fines;

    /// <summary>Joins the cluster as a node of its own, imports, and prints the figures. The result is the exit code.</summary>
    public static async Task<int> RunAsync(IEnumerable<FineTrace> traces, ImportOptions options, CancellationToken cancellationToken)
    {
        // What counts is the whole, not the longest wait for one command: collections in the background cost a tenth of the processor time here.
        GCSettings.LatencyMode = GCLatencyMode.Batch;
        try
        {
            var builder = Microsoft.Extensions.Hosting.Host.CreateApplicationBuilder([Node.WatchNothing]);
            builder.Logging.AddFilter(null, LogLevel.Warning).AddFilter("Orleans", LogLevel.Critical).AddFilter("Orleans.EventSourced", LogLevel.Warning).AddFilter("Polly", LogLevel.Critical);
            builder.Services.Configure<ConsoleLoggerOptions>(o => o.LogToStandardErrorThreshold = LogLevel.Trace);
            var store = Store.From(builder.Configuration);
            var cluster = ClusterSettings.From(builder.Configuration).OnFreePorts();
            var description = await store.PrepareAsync(cluster, cancellationToken);
            builder.UseOrleans(silo =>
            {
                Node.ConfigureSilo(silo, store, cluster);

                // Where no other node keeps the views, they are folded when the last event is there: nobody reads them before.
                silo.Configure<EventSourcingOptions>(o => o.DefersViews = true);
            });
            using var host = builder.Build();
            await store.StartAsync(host, cancellationToken);
            await Console.Error.WriteLineAsync($"Store: {description}");
            var import = new Import(host.Services.GetRequiredService<IGrainFactory>(), options, TimeProvider.System);
            var code = await import.RunAsync(
                traces, host.Services.GetRequiredService<IEventLog>(), host.Services.GetRequiredService<JsonEventCodec>(), host.Services.GetRequiredService<ProjectionControl>(), cancellationToken);
            await host.StopAsync(CancellationToken.None);
            return code;
        }
        catch (XesFormatException e)
        {
            return await Verbs.FailAsync(e.Message, Verbs.BadInput);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return await Verbs.FailAsync(e.Message, Verbs.BadInput);
        }
        catch (LogException e)
        {
            return await Verbs.FailAsync($"The event log cannot be used: {e.Message}", Node.Failed);
        }
        catch (OperationCanceledException)
        {
            return await Verbs.FailAsync("Stopped. What was imported stays; run the same command again to go on.", Node.Failed);
        }
    }

    private async Task<int> RunAsync(IEnumerable<FineTrace> traces, IEventLog log, JsonEventCodec codec, ProjectionControl projections, CancellationToken cancellationToken)
    {
        var started = Stopwatch.GetTimestamp();
        XesFormatException? fault = null;
        using (var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken))
        {
            var progress = ShowProgressAsync(stop.Token);
            try
            {
                await Parallel.ForEachAsync(traces, new ParallelOptions { MaxDegreeOfParallelism = options.Parallel, CancellationToken = cancellationToken }, async (trace, _) => await ImportAsync(trace));
            }
            catch (XesFormatException e)
            {
                fault = e;
            }
            finally
            {
                await stop.CancelAsync();
                await progress;
            }
        }

        var seconds = Stopwatch.GetElapsedTime(started).TotalSeconds;
        if (fault is not null)
        {
            await Console.Error.WriteLineAsync($"{_sent} events of {_fines} fines before it were imported and stay.");
            return await Verbs.FailAsync(fault.Message, Verbs.BadInput);
        }

        foreach (var rejection in _rejections)
        {
            await Console.Error.WriteLineAsync($"Rejected: {rejection}");
        }

        projections.StartDeferred();
        var (totals, position) = await LogFigures.FoldAsync(log, codec, cancellationToken);
        var views = await ViewFigures.ReadAsync(grains, position, cancellationToken);
        new ImportFigures(totals, seconds, _sent, _rejected, _alreadyThere, views).Print(options.Json);
        return 0;
    }

    private async ValueTask ImportAsync(FineTrace trace)
    {
        var grain = grains.GetGrain<IFineGrain>(trace.FineId);
        var fine = CommandId.FromText($"fines/import/{trace.FineId}");
        for (var i = 0; i < trace.Steps.Count; i++)
        {
            var context = new CommandContext(fine.Nested("step", i).Value) { IsNamed = true, Origin = "import", Correlation = trace.FineId, RequestHash = DigestOf(trace.Steps[i].Command) };
            Note(trace, i, await ExecuteAsync(grain, trace.Steps[i].Command, isLast: i == trace.Steps.Count - 1, context));
        }

        Interlocked.Increment(ref _fines);
    }

    /// <summary>What tells a repeated step from one that stands where another stood. It is kept with the events: names of classes are not in it, and 35.0 is 35.00.</summary>
    private static string DigestOf(FineCommand command)
    {
        var type = command.GetType();
        var name = Names.GetOrAdd(type, t => Encoding.UTF8.GetBytes(t.GetCustomAttribute<AliasAttribute>(inherit: false)!.Alias));
        byte[] content = [.. name, .. JsonSerializer.SerializeToUtf8Bytes(command, type, DigestJson)];
        return Convert.ToHexStringLower(SHA256.HashData(content).AsSpan(0, 16));
    }

    /// <summary>While the log or a node is away, the same command is sent again: it takes effect once, however often it is sent.</summary>
    private async Task<CommandResult<FineEvent>> ExecuteAsync(IFineGrain grain, FineCommand command, bool isLast, CommandContext context)
    {
        var since = time.GetTimestamp();
        for (var wait = FirstWait; ; wait = wait * 2 < TimeSpan.FromSeconds(2) ? wait * 2 : TimeSpan.FromSeconds(2))
        {
            try
            {
                using (CommandContext.Begin(context))
                {
                    var result = await (isLast ? grain.ExecuteLastAsync(command) : grain.ExecuteAsync(command));
                    if (result is not Contended<FineEvent> || time.GetElapsedTime(since) >= Patience)
                    {
                        return result;
                    }
                }
            }
            catch (Exception e) when (e is LogUnavailableException or LogOverloadedException or LogOutcomeUnknownException or TimeoutException or SiloUnavailableException or OrleansMessageRejectionException
                && time.GetElapsedTime(since) < Patience)
            {
                // Sent again below.
            }

            await Task.Delay(wait, time);
        }
    }

    private void Note(FineTrace trace, int step, CommandResult<FineEvent> result)
    {
        Interlocked.Increment(ref _sent);
        switch (result)
        {
            case Accepted<FineEvent> { IsRepeated: true }:
                Interlocked.Increment(ref _alreadyThere);
                break;
            case Accepted<FineEvent>:
                break;
            default:
                if (Interlocked.Increment(ref _rejected) <= MaxRejectionsShown)
                {
                    lock (_rejections)
                    {
                        _rejections.Add($"fine {trace.FineId}, event {step + 1}, line {trace.Steps[step].Line}: {ReasonOf(result)}");
                    }
                }

                break;
        }
    }

    private static string ReasonOf(CommandResult<FineEvent> result) => result switch
    {
        Rejected<FineEvent> rejected => $"{rejected.Reason} ({rejected.Code})",
        IdReused<FineEvent> => "it was imported before with another content, which stays",
        Contended<FineEvent> => "others kept changing the fine; import the file again",
        _ => $"{result}",
    };

    private async Task ShowProgressAsync(CancellationToken cancellationToken)
    {
        if (options.Json || Console.IsOutputRedirected || Console.IsErrorRedirected)
        {
            return;
        }

        await AnsiConsole.Progress().AutoClear(true).Columns(new SpinnerColumn(), new TaskDescriptionColumn(), new ProgressBarColumn(), new ElapsedTimeColumn()).StartAsync(async context =>
        {
            var task = context.AddTask("Importing", maxValue: options.Fines ?? double.MaxValue);
            task.IsIndeterminate = options.Fines is null;
            while (!cancellationToken.IsCancellationRequested)
            {
                task.Value = Interlocked.Read(ref _fines);
                task.Description = $"{Interlocked.Read(ref _sent):N0} events of {Interlocked.Read(ref _fines):N0} fines";
                await Task.Delay(TimeSpan.FromMilliseconds(200), time, CancellationToken.None);
            }
        });
    }
}
