using Orleans.EventSourced.Core.Events;

namespace Orleans.EventSourced.LogConsistency;

/// <summary>A command id was used before for something else. Nothing was written; a new command needs a new id.</summary>
/// <param name="stream">The stream the command was for.</param>
/// <param name="command">The id.</param>
public sealed class CommandIdReusedException(StreamId stream, CommandId? command)
    : Exception($"The command id {command} was used before for other events than those now raised on stream '{stream}'; nothing was written.");
