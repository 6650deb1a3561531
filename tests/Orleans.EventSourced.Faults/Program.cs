using System.CommandLine;
using Orleans.EventSourced.Faults;
using Orleans.EventSourced.Faults.Plan;

var seed = new Option<int>("--seed") { Description = "Where the plan of faults and the clients' doings come from; the same seed gives the same plan.", DefaultValueFactory = _ => Random.Shared.Next(1, 1_000_000) };
var minutes = new Option<double>("--minutes") { Description = "How long clients work, 0.2 to 1,440.", DefaultValueFactory = _ => 10 };
var silos = new Option<int>("--silos") { Description = "How many silos, 1 to 9.", DefaultValueFactory = _ => 3 };
var clients = new Option<int>("--clients") { Description = "How many clients, 1 to 100.", DefaultValueFactory = _ => 12 };
var only = new Option<ClusterFault[]>("--only") { Description = "Only these kinds of faults.", AllowMultipleArgumentsPerToken = true };
var scenario = new Option<string?>("--scenario") { Description = $"In place of a plan by chance: {string.Join("; ", FaultSchedule.Scenarios.Select(s => $"{s.Key} ({s.Value})"))}." };
var older = new Option<string?>("--older") { Description = "Another build of Fines.Host.dll with the same schema, for the scenario rolling." };
var output = new Option<string>("--output") { Description = "Where histories, output of the silos and the report go, in a folder for the seed.", DefaultValueFactory = _ => "artifacts/faults" };
Check(minutes, m => m is >= 0.2 and <= 1_440);
Check(silos, s => s is >= 1 and <= 9);
scenario.AcceptOnlyFromAmong([.. FaultSchedule.Scenarios.Keys]);
Check(clients, c => c is >= 1 and <= 100);
var root = new RootCommand("Lets faults befall a cluster of fines' silos while clients work, and counts every fact afterwards. Exit code 0: no violation; 3: there are some.") { seed, minutes, silos, clients, only, scenario, older, output };
root.SetAction((r, _) => new FaultRun(new FaultRunOptions(
    r.GetValue(seed), TimeSpan.FromMinutes(r.GetValue(minutes)), r.GetValue(silos), r.GetValue(clients), r.GetValue(only) ?? [], r.GetValue(scenario), r.GetValue(older), r.GetValue(output)!)).RunAsync());

// What ends the run ends its children too: watchdogs see to that, and nothing here has to be told.
return await root.Parse(args).InvokeAsync(new InvocationConfiguration { ProcessTerminationTimeout = null });

static void Check<T>(Option<T> option, Func<T, bool> isAllowed) => option.Validators.Add(result =>
{
    if (result.GetValue(option) is { } value && !isAllowed(value))
    {
        result.AddError($"{option.Name} is {value}: {option.Description}");
    }
});
