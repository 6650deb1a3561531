using System.CommandLine;
using Orleans.EventSourced.Benchmarks;

var store = new Option<string>("--store") { Description = "postgres or sqlite.", DefaultValueFactory = _ => "postgres" };
store.AcceptOnlyFromAmong("postgres", "sqlite");
var quick = new Option<bool>("--quick") { Description = "One short round instead of three: for a look, not for a figure to quote." };
var callers = new Option<int[]>("--callers") { Description = "How many callers at once, one case each.", DefaultValueFactory = _ => [1, 32, 128, 2_048], AllowMultipleArgumentsPerToken = true };
var append = new Command("append", "One event per command through grains at several numbers of callers; one-row INSERT and binary COPY in the same run.") { store, quick, callers };
append.SetAction((r, cancel) => AppendBenchmark.RunAsync(r.GetValue(store)!, r.GetValue(quick), r.GetValue(callers)!, cancel));
var log = new Option<string?>("--log") { Description = "The XES file of the real log, plain or as .gz; without it fines are generated." };
var fines = new Option<int>("--fines") { Description = "How many fines are generated.", DefaultValueFactory = _ => 50_000 };
var pages = new Option<int[]>("--pages") { Description = "How many events a step folds, one case each.", DefaultValueFactory = _ => [1_000, 5_000, 20_000], AllowMultipleArgumentsPerToken = true };
var catchUp = new Command("catch-up", "A new view over a log of fines, one of which the events name the row, and one with routes.") { store, log, fines, pages, quick };
catchUp.SetAction((r, cancel) => CatchUpBenchmark.RunAsync(r.GetValue(store)!, r.GetValue(log), r.GetValue(fines), r.GetValue(pages)!, r.GetValue(quick), cancel));
return await new RootCommand("Benchmarks. Each starts its own server and prints medians, spread and ratios.") { append, catchUp }.Parse(args).InvokeAsync();
