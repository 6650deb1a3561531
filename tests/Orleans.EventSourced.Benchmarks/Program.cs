using System.CommandLine;
using Orleans.EventSourced.Benchmarks;
using Orleans.EventSourced.Benchmarks.Cases;
using Orleans.EventSourced.Benchmarks.Compare;
using Orleans.EventSourced.Benchmarks.Micro;
using Orleans.EventSourced.Benchmarks.Peers;

var store = new Option<string>("--store") { Description = "postgres or sqlite.", DefaultValueFactory = _ => Place.Postgres };
store.AcceptOnlyFromAmong(Place.Postgres, Place.Sqlite);
var quick = new Option<bool>("--quick") { Description = "One short round instead of three: for a look, not for a figure to quote." };
var callers = new Option<int[]>("--callers") { Description = "How many callers at once, one case each.", DefaultValueFactory = _ => [1, 32, 128, 2_048], AllowMultipleArgumentsPerToken = true };
var append = new Command("append", "One event per command through grains at several numbers of callers; one-row INSERT and binary COPY in the same run.") { store, quick, callers };
append.SetAction((r, cancel) => CompareVerb.RunAsync(r.GetValue(store)!, ScaleOf(r), [.. r.GetValue(callers)!.Select(n => AppendCase.ToDistinctEntities(n).Alone())], cancel));
var log = new Option<string?>("--log") { Description = "The XES file of the real log, plain or as .gz; without it fines are generated." };
var fines = new Option<int>("--fines") { Description = "How many fines are generated.", DefaultValueFactory = _ => 50_000 };
var pages = new Option<int[]>("--pages") { Description = "How many events a step folds, one case each.", DefaultValueFactory = _ => [1_000, 5_000, 20_000], AllowMultipleArgumentsPerToken = true };
var order = new Option<string>("--order") { Description = "import: 1,024 fines at a time; time: as it happened.", DefaultValueFactory = _ => FineLog.InImportOrder };
order.AcceptOnlyFromAmong(FineLog.InImportOrder, FineLog.InTimeOrder);
var catchUp = new Command("catch-up", "A new view over a log of fines, one of which the events name the row, and one with routes.") { store, log, fines, pages, order, quick };
catchUp.SetAction((r, cancel) => CatchUpBenchmark.RunAsync(r.GetValue(store)!, r.GetValue(log), r.GetValue(fines), r.GetValue(pages)!, r.GetValue(order)!, r.GetValue(quick), cancel));
var rates = new Option<int[]>("--rates") { Description = "Events a second, one case each.", DefaultValueFactory = _ => [2_000, 10_000], AllowMultipleArgumentsPerToken = true };
var lag = new Command("lag", "How far views lag behind commands at a steady rate.") { store, rates, quick };
lag.SetAction((r, cancel) => CompareVerb.RunAsync(r.GetValue(store)!, ScaleOf(r), [.. r.GetValue(rates)!.Select(n => new LagCase(n))], cancel));
var history = new Command("history", "States of a long stream at points of the past, and commands beside a branch that is folded.") { store, quick };
history.SetAction((r, cancel) => HistoryBenchmark.RunAsync(r.GetValue(store)!, r.GetValue(quick), cancel));
var micro = new Command("micro", "Codec, fold and grain by themselves, without a database.") { quick };
micro.SetAction(r => MicroVerb.Run(r.GetValue(quick)));

var place = new Option<string>("--in") { Description = "The connection string or the file.", Required = true };
var view = new Option<string>("--view") { Description = "The view.", Required = true };
var page = new Option<int>("--page") { Description = "How many events a step folds.", Required = true };
var catchUpRound = new Command(CatchUpRound.Verb, "One round of catch-up on a log that is there.") { store, place, view, page };
catchUpRound.Hidden = true;
catchUpRound.SetAction((r, cancel) => CatchUpRound.RunAsync(PlaceOf(r), r.GetValue(view)!, r.GetValue(page), cancel));
var importRound = new Command(ImportRound.Verb, "One import into a log that is empty.") { store, place, log, fines };
importRound.Hidden = true;
importRound.SetAction((r, cancel) => ImportRound.RunAsync(PlaceOf(r), r.GetValue(log)!, r.GetValue(fines), cancel));
var name = new Option<string>("--name") { Description = "The contender.", Required = true };
var peer = new Command(PeerProcess.Verb, "One of Orleans' own providers, driven by lines on the standard input.") { name };
peer.Hidden = true;
peer.SetAction((r, _) => OrleansStorage.ServeAsync(r.GetValue(name)!));
return await new RootCommand("Benchmarks. Each starts its own server and prints medians, spread and ratios.") { CompareVerb.Create(store, quick), append, catchUp, catchUpRound, importRound, lag, history, micro, peer }.Parse(args).InvokeAsync();

Scale ScaleOf(ParseResult r) => r.GetValue(quick) ? Scale.Quick : Scale.Full;

Place PlaceOf(ParseResult r) => new(r.GetValue(store)!, r.GetValue(place)!);
