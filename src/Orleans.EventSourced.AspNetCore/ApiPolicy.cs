namespace Orleans.EventSourced.AspNetCore;

/// <summary>
/// The names of the authorization policies that guard the endpoints of this library. The application says who passes them, with <c>AddAuthorizationBuilder().AddPolicy(ApiPolicy.Read, ...)</c>; <see cref="ApiAccess"/> has what happens where it does not.
/// </summary>
public static class ApiPolicy
{
    /// <summary>Who may read: views, sessions, the past, workflows, branches. Whoever may sees every entity.</summary>
    public const string Read = "EventSourced.Read";

    /// <summary>Who may operate: make, change and drop branches, and whatever else changes how the store is kept. Needed besides <see cref="Read"/>.</summary>
    public const string Operate = "EventSourced.Operate";
}

/// <summary>How the endpoints of this library are guarded.</summary>
public sealed class ApiAccessOptions
{
    /// <summary>
    /// Answers everybody where a policy is missing, in every environment. Default false: outside Development such an endpoint is not mapped at all, and in Development only callers on this machine are answered. For programs that something
    /// else guards, such as a proxy that authenticates.
    /// </summary>
    public bool AllowAnyoneUNSAFE { get; set; }
}
