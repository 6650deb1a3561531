using System.CommandLine;
using Orleans.EventSourced.Benchmarks;

var store = new Option<string>("--store") { Description = "postgres or sqlite.", DefaultValueFactory = _ => "postgres" };
store.AcceptOnlyFromAmong("postgres", "sqlite");
var quick = new Option<bool>("--quick") { Description = "One short round instead of three: for a look, not for a figure to quote." };
var append = new Command("append", "One event per command through grains at 1, 32, 128 and 2,048 callers; one-row INSERT and binary COPY in the same run.") { store, quick };
append.SetAction((r, cancel) => AppendBenchmark.RunAsync(r.GetValue(store)!, r.GetValue(quick), cancel));
return await new RootCommand("Benchmarks. Each starts its own server and prints medians, spread and ratios.") { append }.Parse(args).InvokeAsync();
