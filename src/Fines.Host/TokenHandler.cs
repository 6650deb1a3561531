using System.Text.Encodings.Web;
using Microsoft.AspNetCore.Authentication;
using Microsoft.Extensions.Options;
using Microsoft.Net.Http.Headers;
using Orleans.EventSourced.AspNetCore;

namespace Fines.Host;

/// <summary>Knows a caller by <c>Authorization: Bearer TOKEN</c> (RFC 6750), and answers those it does not know with problems.</summary>
internal sealed class TokenHandler(IOptionsMonitor<AuthenticationSchemeOptions> options, ILoggerFactory logger, UrlEncoder encoder, ApiTokens tokens)
    : AuthenticationHandler<AuthenticationSchemeOptions>(options, logger, encoder)
{
    private const string Prefix = $"{ApiTokens.Scheme} ";

    protected override Task<AuthenticateResult> HandleAuthenticateAsync()
    {
        var header = Request.Headers.Authorization.ToString();
        return Task.FromResult(
            header.Length == 0 ? AuthenticateResult.NoResult()
            : header.StartsWith(Prefix, StringComparison.OrdinalIgnoreCase) && tokens.Find(header[Prefix.Length..].Trim()) is { } principal ? AuthenticateResult.Success(new AuthenticationTicket(principal, Scheme.Name))
            : AuthenticateResult.Fail("It is no token of anybody."));
    }

    protected override async Task HandleChallengeAsync(AuthenticationProperties properties)
    {
        Response.Headers[HeaderNames.WWWAuthenticate] = ApiTokens.Scheme;
        var given = Request.Headers.Authorization.Count > 0 ? "The token is not known here." : "A token is needed.";
        await CommandAnswer.Problem(StatusCodes.Status401Unauthorized, "not-authenticated", $"{given} Send 'Authorization: Bearer TOKEN'.").ExecuteAsync(Context);
    }

    protected override Task HandleForbiddenAsync(AuthenticationProperties properties) =>
        CommandAnswer.Problem(StatusCodes.Status403Forbidden, "not-allowed", $"'{Context.User.Identity?.Name}' may not do this: the roles of this token do not allow it.").ExecuteAsync(Context);
}
