namespace Orleans.EventSourced.Testing.Faults;

/// <summary>Which way bytes go through a <see cref="FaultProxy"/>.</summary>
public enum ProxyDirection
{
    /// <summary>Requests: what the client sends.</summary>
    ToServer,

    /// <summary>Replies: what the server sends.</summary>
    ToClient,
}

/// <summary>How a <see cref="FaultProxy"/> ends a connection.</summary>
public enum ProxyEnd
{
    /// <summary>A reset at both ends: the next use of the socket fails at once.</summary>
    Reset,

    /// <summary>Each end is told that the other one sends no more (FIN); what they send afterwards goes nowhere.</summary>
    HalfClose,

    /// <summary>Nothing passes any more and nobody is told, as when a router forgets the connection: only time-outs find out.</summary>
    BlackHole,
}

/// <summary>One connection is to be cut, at the moment when certain bytes come by.</summary>
/// <param name="Direction">Where they are looked for.</param>
/// <param name="End">How the connection ends.</param>
/// <param name="Pattern">
/// The bytes, which may be spread over packets; at most 1,024. Empty: whatever comes next. PostgreSQL's protocol shows a client's commit as <c>COMMIT\0</c>, its answer as the same to the
/// client, and the answer to a procedure that commits for itself, as the log's append, as <c>CALL\0</c>.
/// </param>
/// <param name="IsPassedOn">Whether the packet with the pattern still arrives. With false it is lost; what came before it has arrived.</param>
public sealed record ProxyCut(ProxyDirection Direction, ProxyEnd End, ReadOnlyMemory<byte> Pattern = default, bool IsPassedOn = false)
{
    internal const int MaxPattern = 1_024;
}
