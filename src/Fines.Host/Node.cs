using System.Net.Sockets;
using Fines.Views;
using Orleans.Configuration;
using Orleans.EventSourced.AspNetCore;
using Orleans.EventSourced.Core.History;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Hosting;

namespace Fines.Host;

/// <summary>One node: the silo with the fines' grains, and the HTTP API beside it in the same process.</summary>
internal static class Node
{
    public const int Failed = 1;

    /// <summary>
    /// Settings are read once, at the start. To read them again the host would watch its folder with all that is below it, and with it every write into <c>data/eventlog.db</c>.
    /// </summary>
    public const string WatchNothing = "--hostBuilder:reloadConfigOnChange=false";

    /// <summary>Runs the node until it is told to stop.</summary>
    public static async Task<int> ServeAsync(string[] args)
    {
        try
        {
            await using var app = await StartAsync(args, Console.WriteLine);
            await app.WaitForShutdownAsync();
            return 0;
        }
        catch (LogException e)
        {
            return await Verbs.FailAsync($"The event log cannot be used: {e.Message}", Failed);
        }
        catch (ApiClosedException e)
        {
            return await Verbs.FailAsync($"The API cannot be opened: {e.Message}", Failed);
        }
        catch (Exception e) when (e.GetBaseException() is SocketException)
        {
            return await Verbs.FailAsync($"The node cannot start: {e.Message}", Failed);
        }
    }

    /// <summary>Starts a node, and says what it is.</summary>
    /// <exception cref="LogException">The store cannot be used.</exception>
    /// <exception cref="IOException">A port is taken.</exception>
    /// <exception cref="ApiClosedException">Nobody may use the API.</exception>
    public static async Task<WebApplication> StartAsync(string[] args, Action<string> say, Action<WebApplicationBuilder>? configure = null)
    {
        var builder = WebApplication.CreateBuilder([WatchNothing, .. args]);
        if (builder.Configuration["urls"] is null)
        {
            builder.WebHost.UseUrls("http://localhost:5080");
        }

        var cluster = ClusterSettings.From(builder.Configuration);
        var store = Store.From(builder.Configuration);
        var access = builder.AddDoor();
        var description = await store.PrepareAsync(cluster, CancellationToken.None);
        builder.Logging.AddFilter("Orleans", LogLevel.Warning).AddFilter("Microsoft.AspNetCore", LogLevel.Warning).AddFilter("Polly", LogLevel.Warning);
        builder.UseOrleans(silo =>
        {
            ConfigureSilo(silo, store, cluster);
            silo.AddFineMutations();
            if (builder.Configuration.GetValue("Fines:AddsPenalties", true))
            {
                silo.AddFineDeadlines();
            }
        });
        builder.Services.Configure<HistoryOptions>(builder.Configuration.GetSection("History"));
        builder.Services.AddFineApi();
        configure?.Invoke(builder);
        var app = builder.Build();
        app.UseExceptionHandler();

        // Also for clients that would rather have something else than JSON: there is nothing else.
        app.UseStatusCodePages(context => Results.Problem(statusCode: context.HttpContext.Response.StatusCode).ExecuteAsync(context.HttpContext));
        app.MapFineApi();
        app.MapViews();
        app.MapSessions();
        app.MapHistory();
        try
        {
            await store.StartAsync(app, CancellationToken.None);
        }
        catch
        {
            await app.DisposeAsync();
            throw;
        }

        say($"Store: {description}");
        say($"Silo: {cluster.AdvertisedAddress}:{cluster.SiloPort}, cluster {cluster.ClusterId}");
        say($"Access: {access}");
        say($"Listening on {string.Join(", ", app.Urls)}");
        return app;
    }

    /// <summary>The silo of a node, of an import and of the tests: one composition for all.</summary>
    public static void ConfigureSilo(ISiloBuilder silo, Store store, ClusterSettings cluster)
    {
        store.Configure(silo, cluster);
        silo.AddEventSourcing(o => o.EventTypes = FineEventTypes.Map);
        silo.AddFineViews(cluster.ViewSlices);
        silo.AddFineWhatIfs();
        if (cluster.KeepsTraces)
        {
            silo.AddTrace(cluster.ViewSlices);
        }

        silo.Configure<ClusterMembershipOptions>(o =>
        {
            // A node that is killed is declared dead within two seconds, and a node that starts does not wait for one that wrote its last sign of life six seconds ago. One that stood still, and that
            // the others go on without, reads so within two seconds of its waking, and ends.
            o.ProbeTimeout = TimeSpan.FromSeconds(1);
            o.NumMissedProbesLimit = 2;
            o.NumVotesForDeathDeclaration = 1;
            o.TableRefreshTimeout = TimeSpan.FromSeconds(2);
            o.IAmAliveTablePublishTimeout = TimeSpan.FromSeconds(2);
            o.NumMissedTableIAmAliveLimit = 3;
        });
    }

    private static void AddFineApi(this IServiceCollection services)
    {
        services.AddProblemDetails();
        services.Configure<RouteHandlerOptions>(o => o.ThrowOnBadRequest = true);
        services.AddExceptionHandler<LogExceptionHandler>();
        services.AddOpenApi();
        services.AddHealthChecks().AddCheck<LogHealthCheck>("log").AddCheck<ViewsHealthCheck>("views").AddCheck<ReactionsHealthCheck>("reactions");
        services.ConfigureHttpJsonOptions(o => FineEndpoints.Configure(o.SerializerOptions));
    }
}
