using System.Text.Json;
using Orleans.EventSourced.Commands;
using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Reactions;

namespace Orleans.EventSourced.Mutations;

/// <summary>
/// Executes what sessions ask for: a reaction to their events. Its checkpoint is what finds requests that are open after a crash, each session's are executed in order, and one that was
/// executed but not recorded is sent again under its id, so that it has one effect.
/// </summary>
internal static class MutationRunner
{
    /// <summary>The reaction's name.</summary>
    public const string Name = "es-mutations";

    private const int MaxReason = 1_000;

    public static async Task HandleAsync(RegisteredMutations mutations, IGrainFactory grains, ReactionContext<SessionEvent> context)
    {
        if (context.Event is MutationRequested request)
        {
            var fate = await ExecuteAsync(mutations, grains, request, context.Recorded);
            await context.CallAsync(g => g.GetGrain<ISessionGrain>(context.Recorded.Stream.Key).ExecuteAsync(fate));
        }
    }

    public static RecordFate Refused(MutationRequested request, string code, string reason) =>
        new(request.Mutation, null, 0, 0, 0, code, reason.Length <= MaxReason ? reason : reason[..MaxReason]);

    private static async Task<RecordFate> ExecuteAsync(RegisteredMutations mutations, IGrainFactory grains, MutationRequested request, RecordedEvent recorded)
    {
        if (mutations.Find(request.Command) is not { } registered)
        {
            return Refused(request, "unknown-command", $"The program that executes mutations does not know '{request.Command}'.");
        }

        var metadata = EventMetadata.Parse(recorded.Metadata);
        var context = new CommandContext(request.Mutation)
        {
            IsNamed = true,
            Correlation = metadata.Correlation,
            Causation = recorded.Id.ToString(),
            Actor = metadata.Actor,
            Reason = metadata.Reason,
            Origin = "mutation",
            TraceParent = metadata.TraceParent,
            RequestHash = request.RequestHash,
            ExpectedVersion = request.ExpectedVersion,
        };
        try
        {
            using (CommandContext.Begin(context))
            {
                return await registered.SendAsync(grains, request);
            }
        }
        catch (JsonException e)
        {
            return Refused(request, "unreadable", e.Message);
        }
        catch (Exception e) when (!Cause.IsOutage(e))
        {
            // A fault of one entity's code or stream: it must not hold up the other sessions.
            return Refused(request, "failed", e.Message);
        }
    }
}
