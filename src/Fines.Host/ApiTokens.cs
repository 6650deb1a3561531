using System.Security.Claims;
using System.Security.Cryptography;
using System.Text;

namespace Fines.Host;

/// <summary>What a principal may do.</summary>
internal static class Role
{
    /// <summary>See everything.</summary>
    public const string Read = "read";

    /// <summary>Send commands, and see everything.</summary>
    public const string Write = "write";

    /// <summary>Make, change and drop branches, and see everything.</summary>
    public const string Operate = "operate";

    public static readonly string[] All = [Read, Write, Operate];
}

/// <summary>
/// Who may use the API, from the section <c>Fines:Tokens</c> of the configuration: <c>Fines:Tokens:NAME:Secret</c> is the bearer token of NAME, <c>Fines:Tokens:NAME:Roles</c> what NAME may do. Secrets are kept as hashes only.
/// </summary>
internal sealed class ApiTokens
{
    public const string Scheme = "Bearer";
    private const string Section = "Fines:Tokens";
    private const int MinLength = 16;
    private const int MaxLength = 1_024;
    private readonly List<(string Name, byte[] Hash, string[] Roles)> _principals;

    private ApiTokens(List<(string Name, byte[] Hash, string[] Roles)> principals) => _principals = principals;

    public bool IsEmpty => _principals.Count == 0;

    /// <exception cref="ApiClosedException">An entry is not what it must be; the message names it, and no secret.</exception>
    public static ApiTokens From(IConfiguration configuration)
    {
        var principals = configuration.GetSection(Section).GetChildren().Select(PrincipalOf).ToList();
        return principals.GroupBy(p => Convert.ToHexString(p.Hash)).FirstOrDefault(g => g.Skip(1).Any()) is { } same
            ? throw new ApiClosedException($"{Section}: {string.Join(" and ", same.Select(p => p.Name))} have the same secret, so that nobody can tell who acts. Give each a secret of its own.")
            : new ApiTokens(principals);
    }

    /// <summary>Whose token it is; null: nobody's. How long it takes does not depend on how much of a token is right.</summary>
    public ClaimsPrincipal? Find(string token)
    {
        var hash = Hash(token);
        ClaimsPrincipal? found = null;
        foreach (var (name, own, roles) in _principals)
        {
            if (CryptographicOperations.FixedTimeEquals(hash, own))
            {
                found = new ClaimsPrincipal(new ClaimsIdentity([new Claim(ClaimTypes.NameIdentifier, name), new Claim(ClaimTypes.Name, name), .. roles.Select(r => new Claim(ClaimTypes.Role, r))], Scheme));
            }
        }

        return found;
    }

    /// <summary>Names and roles.</summary>
    public override string ToString() => string.Join(", ", _principals.Select(p => $"{p.Name} ({string.Join(", ", p.Roles)})"));

    private static (string Name, byte[] Hash, string[] Roles) PrincipalOf(IConfigurationSection entry)
    {
        var (secret, roles) = (entry["Secret"] ?? "", (entry["Roles"] ?? "").Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries));
        if (secret.Length is < MinLength or > MaxLength || secret.Any(c => c is <= ' ' or > '~'))
        {
            throw new ApiClosedException($"{entry.Path}:Secret has {secret.Length} characters; it is {MinLength} to {MaxLength} printable ASCII characters without blanks, such as `openssl rand -hex 32` prints.");
        }

        return roles.Length > 0 && roles.All(Role.All.Contains)
            ? (entry.Key, Hash(secret), roles)
            : throw new ApiClosedException($"{entry.Path}:Roles is '{entry["Roles"]}'; it is one or more of {string.Join(", ", Role.All)}, with commas between.");
    }

    private static byte[] Hash(string text) => SHA256.HashData(Encoding.UTF8.GetBytes(text));
}
