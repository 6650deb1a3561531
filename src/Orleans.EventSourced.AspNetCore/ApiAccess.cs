using System.Security.Claims;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;

namespace Orleans.EventSourced.AspNetCore;

/// <summary>
/// Guards endpoints, closed by default. Where the application has the policy asked for, it decides. Where it has not: outside Development the program does not start, and in Development only callers on this machine are answered.
/// </summary>
public static class ApiAccess
{
    /// <summary>The header that a request needs which changes something by the operators' API, with any value: no page of another site can make a browser send it.</summary>
    public const string OperateHeader = "ES-Operate";

    /// <summary>Lets those pass who may read.</summary>
    /// <param name="endpoints">An endpoint, or a group of them.</param>
    /// <param name="routes">What they are mapped on.</param>
    /// <exception cref="InvalidOperationException">Nothing says who may, outside Development.</exception>
    public static TBuilder RequireRead<TBuilder>(this TBuilder endpoints, IEndpointRouteBuilder routes)
        where TBuilder : IEndpointConventionBuilder => endpoints.RequireAccess(routes, ApiPolicy.Read);

    /// <summary>Lets those pass who may operate, and only requests with <see cref="OperateHeader"/>: 400 without.</summary>
    /// <param name="endpoints">An endpoint, or a group of them.</param>
    /// <param name="routes">What they are mapped on.</param>
    /// <exception cref="InvalidOperationException">Nothing says who may, outside Development.</exception>
    public static TBuilder RequireOperate<TBuilder>(this TBuilder endpoints, IEndpointRouteBuilder routes)
        where TBuilder : IEndpointConventionBuilder
    {
        RefuseWhere(endpoints, http => http.Request.Headers[OperateHeader].ToString().Length > 0
            ? null
            : CommandAnswer.Problem(StatusCodes.Status400BadRequest, "operate-header-missing", $"A request that changes something here needs the header {OperateHeader}, with any value, such as '{OperateHeader}: 1'."));
        return endpoints.RequireAccess(routes, ApiPolicy.Operate);
    }

    /// <summary>Lets those pass whom a policy of the application's own lets, for endpoints beside those of this library, by the same rules.</summary>
    /// <param name="endpoints">An endpoint, or a group of them.</param>
    /// <param name="routes">What they are mapped on.</param>
    /// <param name="policy">The policy's name.</param>
    /// <exception cref="InvalidOperationException">There is no such policy, outside Development.</exception>
    public static TBuilder RequireAccess<TBuilder>(this TBuilder endpoints, IEndpointRouteBuilder routes, string policy)
        where TBuilder : IEndpointConventionBuilder
    {
        ArgumentNullException.ThrowIfNull(routes);
        switch (DoorOf(routes.ServiceProvider, policy))
        {
            case Door.Policy:
                return endpoints.RequireAuthorization(policy);
            case Door.ThisMachine:
                RefuseWhere(endpoints, http => LocalCaller.FaultOf(http) is { } fault ? CommandAnswer.Problem(StatusCodes.Status403Forbidden, "this-machine-only", fault) : null);
                return endpoints;
            case Door.Anyone:
                return endpoints;
            default:
                throw new InvalidOperationException(
                    $"""
                    This API is closed: there is no authorization policy '{policy}', and the environment is '{routes.ServiceProvider.GetRequiredService<IHostEnvironment>().EnvironmentName}', not Development. Say who may use it, beside AddAuthentication with a scheme of yours:
                        builder.Services.AddAuthorizationBuilder().AddPolicy("{ApiPolicy.Read}", p => p.RequireRole("reader")).AddPolicy("{ApiPolicy.Operate}", p => p.RequireRole("operator"));
                    or, where something else keeps strangers out:
                        builder.Services.Configure<{nameof(ApiAccessOptions)}>(o => o.{nameof(ApiAccessOptions.AllowAnyoneUNSAFE)} = true);
                    """);
        }
    }

    /// <summary>Whether the caller would pass, for endpoints that show less to those who would not.</summary>
    /// <param name="http">The request.</param>
    /// <param name="policy">The policy's name.</param>
    public static async Task<bool> AllowsAsync(HttpContext http, string policy)
    {
        ArgumentNullException.ThrowIfNull(http);
        return DoorOf(http.RequestServices, policy) switch
        {
            Door.Policy => (await http.RequestServices.GetRequiredService<IAuthorizationService>().AuthorizeAsync(http.User, null, policy)).Succeeded,
            Door.ThisMachine => LocalCaller.FaultOf(http) is null,
            Door.Anyone => true,
            _ => false,
        };
    }

    /// <summary>Who asks, as the authenticated principal says and nothing else; null: nobody was authenticated.</summary>
    internal static string? ActorOf(HttpContext http) =>
        http.User.Identity is { IsAuthenticated: true } identity ? http.User.FindFirstValue(ClaimTypes.NameIdentifier) ?? identity.Name : null;

    private enum Door
    {
        Shut,
        Policy,
        ThisMachine,
        Anyone,
    }

    private static Door DoorOf(IServiceProvider services, string policy) =>
        services.GetService<IAuthorizationPolicyProvider>()?.GetPolicyAsync(policy).GetAwaiter().GetResult() is not null ? Door.Policy
        : services.GetRequiredService<IOptions<ApiAccessOptions>>().Value.AllowAnyoneUNSAFE ? Door.Anyone
        : services.GetRequiredService<IHostEnvironment>().IsDevelopment() ? Door.ThisMachine
        : Door.Shut;

    /// <summary>Before anything of the request is read or bound; behind authorization.</summary>
    private static void RefuseWhere(IEndpointConventionBuilder endpoints, Func<HttpContext, IResult?> refusal) => endpoints.Add(endpoint =>
    {
        var next = endpoint.RequestDelegate ?? throw new InvalidOperationException($"'{endpoint.DisplayName}' has nothing to guard.");
        endpoint.RequestDelegate = http => refusal(http) is { } problem ? problem.ExecuteAsync(http) : next(http);
    });
}
