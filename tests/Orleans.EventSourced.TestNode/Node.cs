using System.Text.Json;
using Fines.Host;
using Microsoft.AspNetCore.Diagnostics.HealthChecks;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Npgsql;
using Orleans.Configuration;
using Orleans.EventSourced.AspNetCore;
using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.Projections;
using Orleans.EventSourced.Hosting;
using Orleans.EventSourced.Projections;

namespace Orleans.EventSourced.TestNode;

/// <summary>A silo with accounts and their views, and what a test asks it beside it. <c>TestNode:Slices</c> greater than 0 adds the log's streams, in so many slices, with their subscribers.</summary>
internal static class Node
{
    private static readonly EventTypeMap Types = new EventTypeMap.Builder().AddFamily<AccountEvent>(JsonSerializerOptions.Web).Build();

    /// <summary>Runs the node until it is told to stop.</summary>
    public static async Task<int> ServeAsync(string[] args)
    {
        var builder = WebApplication.CreateBuilder(["--hostBuilder:reloadConfigOnChange=false", .. args]);
        builder.Logging.SetMinimumLevel(LogLevel.Warning);
        var store = Store.From(builder.Configuration);
        var cluster = ClusterSettings.From(builder.Configuration);
        await store.PrepareAsync(cluster, CancellationToken.None);
        builder.UseOrleans(silo => ConfigureSilo(silo, store, cluster, builder.Configuration.GetValue("TestNode:Slices", 0)));
        builder.Services.AddProblemDetails();
        builder.Services.AddExceptionHandler<LogExceptionHandler>();
        builder.Services.AddHealthChecks().AddCheck<LogHealthCheck>("log").AddCheck<ViewsHealthCheck>("views");
        builder.Services.AddSingleton(new Deliveries(NpgsqlDataSource.Create(builder.Configuration.GetConnectionString("eventlog")!)));
        await using var app = builder.Build();
        app.UseExceptionHandler();
        app.MapViews();
        MapAccounts(app);
        MapInsight(app);
        await app.RunAsync();
        return 0;
    }

    private static void ConfigureSilo(ISiloBuilder silo, Store store, ClusterSettings cluster, int slices)
    {
        store.Configure(silo, cluster);
        silo.AddEventSourcing(o => o.EventTypes = Types);
        silo.AddView(Projection.Of<Balance, AccountEvent>(), 2);
        silo.AddView(Projection.Of<Total, AccountEvent>());
        if (slices > 0)
        {
            silo.AddEventLogStreams(configure: o => o.Slices = slices);
        }

        silo.Configure<ClusterMembershipOptions>(o =>
        {
            (o.ProbeTimeout, o.NumMissedProbesLimit, o.NumVotesForDeathDeclaration) = (TimeSpan.FromSeconds(1), 2, 1);
            (o.IAmAliveTablePublishTimeout, o.NumMissedTableIAmAliveLimit) = (TimeSpan.FromSeconds(2), 3);
        });
    }

    private static void MapAccounts(WebApplication app)
    {
        app.MapGet("/accounts/{id}", (string id, IGrainFactory grains) => grains.GetGrain<IAccountGrain>(id).GetAsync());
        app.MapPost("/accounts/{id}/deposits/{amount}", (string id, int amount, IGrainFactory grains) => grains.GetGrain<IAccountGrain>(id).DepositAsync(amount));
        app.MapPost("/accounts/{id}/leave", (string id, IGrainFactory grains) => grains.GetGrain<IAccountGrain>(id).LeaveAsync());
#if NEXT
        app.MapPost("/accounts/{id}/withdrawals/{amount}", (string id, int amount, IGrainFactory grains) => grains.GetGrain<IAccountGrain>(id).WithdrawAsync(amount));
#endif
    }

    private static void MapInsight(WebApplication app)
    {
        app.MapHealthChecks("/health", new HealthCheckOptions { ResponseWriter = WriteHealthAsync });
        app.MapGet("/silo", (ILocalSiloDetails silo) => silo.SiloAddress.ToString());
        app.MapGet("/keepers/{slice}", (int slice, IGrainFactory grains) => grains.GetGrain<IKeeperGrain>($"{slice}").WhereAsync());
        app.MapGet("/projections", async (ProjectionControl control) => from s in await control.ListAsync()
                                                                        select new { View = s.Status.View.Table, State = $"{s.Status.State}", Position = s.Status.Position.Value, s.Status.Behind, s.Status.Fault, Silo = $"{s.Silo}" });
        app.MapGet("/comparisons/{view}/{version}", async (string view, int version, ProjectionControl control, CancellationToken cancellationToken) =>
        {
            var report = await control.CompareAsync(new ViewId(view, version), cancellationToken);
            return new { report.IsEqual, report.Rows, Position = report.Position.Value, Differences = report.Differences.Select(d => $"{d}") };
        });
    }

    private static Task WriteHealthAsync(HttpContext http, HealthReport report) =>
        http.Response.WriteAsJsonAsync(new { Status = $"{report.Status}", Views = report.Entries["views"].Description });
}
