using System.CommandLine;
using Orleans.EventSourced.Benchmarks;

var store = new Option<string>("--store") { Description = "postgres or sqlite.", DefaultValueFactory = _ => "postgres" };
store.AcceptOnlyFromAmong("postgres", "sqlite");
var quick = new Option<bool>("--quick") { Description = "One short round instead of three: for a look, not for a figure to quote." };
var callers = new Option<int[]>("--callers") { Description = "How many callers at once, one case each.", DefaultValueFactory = _ => [1, 32, 128, 2_048], AllowMultipleArgumentsPerToken = true };
var append = new Command("append", "One event per command through grains at several numbers of callers; one-row INSERT and binary COPY in the same run.") { store, quick, callers };
append.SetAction((r, cancel) => AppendBenchmark.RunAsync(r.GetValue(store)!, r.GetValue(quick), r.GetValue(callers)!, cancel));
return await new RootCommand("Benchmarks. Each starts its own server and prints medians, spread and ratios.") { append }.Parse(args).InvokeAsync();
