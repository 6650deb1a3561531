using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using Fines.Views;
using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.History;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Projections;
using Spectre.Console;

namespace Fines.Host;

/// <summary>Questions to the past of the configured store, and to what might have been: <c>as-of</c> and <c>what-if</c>. They only read, beside a node that may be running.</summary>
internal static class HistoryVerbs
{
    private const string WhatIfBranch = "what-if";
    private static readonly Option<bool> Json = new("--json") { Description = "Print the answer as one JSON object." };

    public static IEnumerable<Command> All() => [WhatIfCommand(), AsOfCommand()];

    private static Command WhatIfCommand()
    {
        var days = new Option<double>("--days") { Description = "The term in days of 24 hours.", DefaultValueFactory = _ => new PaidInTime().Days };
        days.Validators.Add(r => Check(r, () => new PaidInTime { Days = r.GetValueOrDefault<double>() }));
        var paid = new Command("paid-in-time", Describe("paid-in-time")) { days, Json };
        paid.SetAction((r, cancel) => WhatIfAsync("paid-in-time", JsonSerializer.SerializeToElement(new Dictionary<string, double> { ["days"] = r.GetValue(days) }), r.GetValue(Json), cancel));
        var factor = new Option<decimal>("--factor") { Description = "How many times its first amount.", DefaultValueFactory = _ => new MilderPenalty().Factor };
        factor.Validators.Add(r => Check(r, () => new MilderPenalty { Factor = r.GetValueOrDefault<decimal>() }));
        var milder = new Command("milder-penalty", Describe("milder-penalty")) { factor, Json };
        milder.SetAction((r, cancel) => WhatIfAsync("milder-penalty", JsonSerializer.SerializeToElement(new Dictionary<string, decimal> { ["factor"] = r.GetValue(factor) }), r.GetValue(Json), cancel));
        return new Command("what-if", "What the city would have been owed, had something been otherwise: trunk, branch and difference.") { paid, milder };
    }

    private static void Check(System.CommandLine.Parsing.OptionResult result, Func<object> parameters)
    {
        try
        {
            _ = parameters();
        }
        catch (ArgumentOutOfRangeException e)
        {
            result.AddError(e.Message);
        }
    }

    private static Command AsOfCommand()
    {
        var view = new Option<string>("--view") { Description = $"One of {string.Join(", ", Balances.Keys)}.", Required = true };
        var position = new Option<long?>("--position") { Description = "As of this position of the log." };
        var recorded = new Option<string?>("--recorded") { Description = "As of the last commit recorded at or before this time, such as 2026-01-31T12:00:00Z." };
        var business = new Option<string?>("--business") { Description = "Only what had happened by this time, such as 2005-12-31T23:59:59+01:00." };
        var asOf = new Command("as-of", "The figures of a view as they were.") { view, position, recorded, business, Json };
        asOf.Validators.Add(r =>
        {
            if (!Balances.ContainsKey(r.GetValue(view) ?? ""))
            {
                r.AddError($"--view is one of {string.Join(", ", Balances.Keys)}.");
            }

            if (new object?[] { r.GetValue(position), r.GetValue(recorded), r.GetValue(business) }.Count(o => o is not null) != 1)
            {
                r.AddError("Give one of --position, --recorded and --business.");
            }
        });
        asOf.SetAction((r, cancel) => RunAsync(r.GetValue(Json), AsOfJson.Default.AsOfAnswer, (log, views, progress) =>
        {
            var at = r.GetValue(position) is { } number ? number.ToString(CultureInfo.InvariantCulture) : r.GetValue(recorded) is { } time ? $"recorded:{time}" : $"business:{r.GetValue(business)}";
            return Balances[r.GetRequiredValue(view)](log, views, PointInTime.Parse(at), progress, cancel);
        }));
        return asOf;
    }

    /// <summary>The views whose rows come to a balance, and how.</summary>
    private static Dictionary<string, Func<IEventLog, IViewStore?, PointInTime, Action<long, long>, CancellationToken, Task<AsOfAnswer>>> Balances { get; } = new(StringComparer.Ordinal)
    {
        ["fine_summary"] = (log, views, at, progress, cancel) => AsOfAsync(log, views, FineViews.Summary, FineBalance.Of, at, progress, cancel),
        ["article_totals"] = (log, views, at, progress, cancel) => AsOfAsync(log, views, FineViews.Articles, FineBalance.Of, at, progress, cancel),
        ["officer_month"] = (log, views, at, progress, cancel) => AsOfAsync(log, views, FineViews.Officers, FineBalance.Of, at, progress, cancel),
    };

    private static string Describe(string function) => FineWhatIfs.All.First(w => w.Name == function).Description;

    private static Task<int> WhatIfAsync(string function, JsonElement parameters, bool json, CancellationToken cancellationToken) => RunAsync(json, AsOfJson.Default.WhatIfAnswer, async (log, views, progress) =>
    {
        var started = Stopwatch.GetTimestamp();
        var codec = new JsonEventCodec(FineEventTypes.Map);
        var head = await log.ReadHeadAsync(cancellationToken);
        var definition = new BranchDefinition(WhatIfBranch, head.Position, [new BranchEdit.Apply(function, parameters)], [], Describe(function), null);
        var branch = new Branch(definition, new BranchCatalog(FineWhatIfs.All, []), log, codec, new HistoryOptions(), new InlineWorker());
        var view = await branch.FoldAsync(FineViews.Summary, await SkippedAsync<FineSummary>(views, cancellationToken), PoisonPolicy.Stop, progress, cancellationToken);
        var (trunk, other) = view.Read((t, b) => (FineBalance.Of(t.Rows.Select(r => r.Row)), FineBalance.Of(b.Rows.Select(r => r.Row))));
        var seconds = Math.Round(Stopwatch.GetElapsedTime(started).TotalSeconds, 3);
        return new WhatIfAnswer(function, parameters, head.Position.Value, Figures.Of(trunk), Figures.Of(other), Figures.Of(other.Minus(trunk)), seconds);
    });

    private static async Task<AsOfAnswer> AsOfAsync<TRow>(
        IEventLog log, IViewStore? views, Projection<TRow> projection, Func<IEnumerable<TRow>, FineBalance> balance, PointInTime at, Action<long, long> progress, CancellationToken cancellationToken)
        where TRow : class
    {
        var started = Stopwatch.GetTimestamp();
        var past = new PastViews(log, new JsonEventCodec(FineEventTypes.Map), new HistoryOptions(), new InlineWorker());
        var view = await past.FoldAsync(projection, await SkippedAsync<TRow>(views, cancellationToken), PoisonPolicy.Stop, await past.LocateAsync(at, cancellationToken), progress, cancellationToken);
        var figures = Figures.Of(balance(view.Rows.Rows.Select(r => r.Row)));
        var seconds = Math.Round(Stopwatch.GetElapsedTime(started).TotalSeconds, 3);
        return new AsOfAnswer(projection.View.Name, at.ToString(), view.Point.Position.Value, view.Point.IsFinal, view.Rows.Count, figures.Due, figures.Paid, figures.Outstanding, figures.Open, figures.Settled, seconds);
    }

    /// <summary>What operators had the view pass over.</summary>
    private static async Task<IReadOnlyList<SkippedEvent>> SkippedAsync<TRow>(IViewStore? views, CancellationToken cancellationToken)
        where TRow : class => views is null ? [] : await views.Table<TRow>().ReadSkippedAsync(cancellationToken);

    private static async Task<int> RunAsync<TAnswer>(bool json, System.Text.Json.Serialization.Metadata.JsonTypeInfo<TAnswer> type, Func<IEventLog, IViewStore?, Action<long, long>, Task<TAnswer>> ask)
    {
        try
        {
            await using var store = Store.From(Microsoft.Extensions.Hosting.Host.CreateApplicationBuilder([Node.WatchNothing]).Configuration).OpenToRead();
            var answer = await ask(store.GetRequiredService<IEventLog>(), store.GetService<IViewStore>(), Progress());
            Print(JsonSerializer.SerializeToElement(answer, type), json);
            return 0;
        }
        catch (HistoryException e)
        {
            return await Verbs.FailAsync(e.Message, Verbs.BadInput);
        }
        catch (LogException e)
        {
            return await Verbs.FailAsync($"The event log cannot be used: {e.Message}", Node.Failed);
        }
        catch (OperationCanceledException)
        {
            return await Verbs.FailAsync("Stopped; nothing was changed.", Node.Failed);
        }
    }

    /// <summary>Tells people at a terminal how far it is, each twentieth once.</summary>
    private static Action<long, long> Progress()
    {
        var told = 0L;
        return (done, of) =>
        {
            var twentieths = of == 0 ? 20 : done * 20 / of;
            if (!Console.IsErrorRedirected && twentieths > told)
            {
                told = twentieths;
                Console.Error.Write(string.Create(CultureInfo.InvariantCulture, $"\r{twentieths * 5,3} % of {of:N0} events{(twentieths == 20 ? "\n" : "")}"));
            }
        };
    }

    private static void Print(JsonElement answer, bool json)
    {
        if (json)
        {
            Console.WriteLine(answer.GetRawText());
            return;
        }

        var columns = answer.EnumerateObject().Where(p => p.Value.ValueKind == JsonValueKind.Object && p.Name != "parameters").ToArray();
        var table = new Table().Border(TableBorder.Simple).AddColumn("Figure");
        if (columns.Length == 0)
        {
            table.AddColumn(new TableColumn("Value").RightAligned());
            foreach (var figure in answer.EnumerateObject())
            {
                table.AddRow(figure.Name, figure.Value.ToString());
            }
        }
        else
        {
            foreach (var column in columns)
            {
                table.AddColumn(new TableColumn(column.Name).RightAligned());
            }

            foreach (var figure in columns[0].Value.EnumerateObject())
            {
                table.AddRow([figure.Name, .. columns.Select(c => c.Value.GetProperty(figure.Name).ToString())]);
            }
        }

        AnsiConsole.Write(table);
        Console.WriteLine($"{answer.GetProperty("seconds")} s");
    }
}

/// <summary>A balance as it is printed: money as text with two decimals.</summary>
internal sealed record Figures(string Due, string Paid, string Outstanding, int Open, int Settled)
{
    public static Figures Of(FineBalance balance) =>
        new(ImportFigures.Money(balance.Due), ImportFigures.Money(balance.Paid), ImportFigures.Money(balance.Outstanding), balance.Open, balance.Settled);
}

/// <summary>What a what-if came to.</summary>
internal sealed record WhatIfAnswer(string WhatIf, JsonElement Parameters, long Position, Figures Trunk, Figures Branch, Figures Difference, double Seconds);

/// <summary>What a view came to as of a point.</summary>
internal sealed record AsOfAnswer(string View, string At, long Position, bool IsFinal, int Rows, string Due, string Paid, string Outstanding, int Open, int Settled, double Seconds);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(WhatIfAnswer))]
[JsonSerializable(typeof(AsOfAnswer))]
internal sealed partial class AsOfJson : JsonSerializerContext;
