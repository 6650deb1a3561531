using System.Text.Json.Serialization;

namespace Orleans.EventSourced.Faults.Clients;

/// <summary>What a client knows of a command in the end.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<Outcome>))]
internal enum Outcome
{
    /// <summary>It has not ended yet.</summary>
    Invoked,

    /// <summary>It was accepted: its event is at the version and position answered.</summary>
    Ok,

    /// <summary>It was refused, or surely not written at each try: it must never be in the log.</summary>
    Fail,

    /// <summary>Nobody said; it may be in the log or not.</summary>
    Unknown,
}

/// <summary>One command of a client, which may have been sent several times under its id.</summary>
/// <param name="Client">Who sent it.</param>
/// <param name="Command">Its id, as the log has it.</param>
/// <param name="Key">Its <c>Idempotency-Key</c>.</param>
/// <param name="Path">Where it was posted.</param>
/// <param name="Body">What was posted.</param>
/// <param name="Stream">The stream it is for.</param>
/// <param name="IfMatch">The version it insisted on; null: none.</param>
/// <param name="Content">What its event is to say, in the words of <see cref="RunHistory.Describe"/>.</param>
internal sealed record Operation(int Client, Guid Command, string Key, string Path, string Body, string Stream, int? IfMatch, string Content)
{
    /// <summary>When it was first sent, in ticks of one clock.</summary>
    public long Began { get; set; }

    /// <summary>When its client knew what became of it, or gave up.</summary>
    public long Ended { get; set; }

    public Outcome Outcome { get; set; }

    /// <summary>How often it was sent.</summary>
    public int Tries { get; set; }

    /// <summary>Whether a try of it ended with nobody knowing.</summary>
    public bool WasInDoubt { get; set; }

    /// <summary>The version answered.</summary>
    public int Version { get; set; }

    /// <summary>The position answered.</summary>
    public long Position { get; set; }

    /// <summary>Why it was refused.</summary>
    public string? Code { get; set; }
}
