using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Authorization;
using Orleans.EventSourced.AspNetCore;

namespace Fines.Host;

/// <summary>Who is let in: bearers of tokens; without any, in Development, callers on this machine.</summary>
internal static class ApiDoor
{
    /// <summary>The policy of commands.</summary>
    public const string Write = "Fines.Write";

    /// <summary>The most bytes of a request's body.</summary>
    private const int MaxBodyBytes = 1024 * 1024;
    private const int MaxHeaderBytes = 16 * 1024;

    /// <summary>Reads who may use the API. The result is one line for people.</summary>
    /// <exception cref="ApiClosedException">Nobody may, or the configuration is wrong.</exception>
    public static string AddDoor(this WebApplicationBuilder builder)
    {
        var tokens = ApiTokens.From(builder.Configuration);
        builder.WebHost.ConfigureKestrel(o => (o.Limits.MaxRequestBodySize, o.Limits.MaxRequestHeadersTotalSize) = (MaxBodyBytes, MaxHeaderBytes));
        if (!tokens.IsEmpty)
        {
            AddTokens(builder.Services, tokens);
            return $"bearer tokens of {tokens}";
        }

        return builder.Environment.IsDevelopment()
            ? $"this machine only, without authentication ({builder.Environment.EnvironmentName})"
            : throw new ApiClosedException(
                $"nobody may use it: the environment is '{builder.Environment.EnvironmentName}', and there are no tokens. Set Fines__Tokens__NAME__Secret (16 characters or more) and Fines__Tokens__NAME__Roles ({string.Join(',', Role.All)}), or, for this machine only, ASPNETCORE_ENVIRONMENT=Development.");
    }

    private static void AddTokens(IServiceCollection services, ApiTokens tokens)
    {
        services.AddSingleton(tokens);
        services.AddAuthentication(ApiTokens.Scheme).AddScheme<AuthenticationSchemeOptions, TokenHandler>(ApiTokens.Scheme, null);
        services.AddAuthorizationBuilder()
            .AddPolicy(ApiPolicy.Read, p => p.RequireRole(Role.All))
            .AddPolicy(ApiPolicy.Operate, p => p.RequireRole(Role.Operate))
            .AddPolicy(Write, p => p.RequireRole(Role.Write))
            .SetFallbackPolicy(new AuthorizationPolicyBuilder().RequireAuthenticatedUser().Build());
    }
}

/// <summary>The configuration lets nobody use the API, or does not say clearly who may.</summary>
internal sealed class ApiClosedException(string message) : Exception(message);
