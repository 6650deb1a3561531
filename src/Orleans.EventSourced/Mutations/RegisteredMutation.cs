using System.Text.Json;
using Orleans.EventSourced.Grains;

namespace Orleans.EventSourced.Mutations;

/// <summary>A command that can be asked for through a session.</summary>
internal abstract record RegisteredMutation(string Name, Type Command, string StreamType)
{
    /// <summary>The longest name.</summary>
    public const int MaxName = 128;

    /// <summary>Sends the command to its entity, in the context that is set. A payload that is no such command is a fate.</summary>
    public abstract Task<MutationFate> SendAsync(IGrainFactory grains, MutationRequested request);

    /// <summary>The command as a payload.</summary>
    public abstract string ToJson(object command);
}

/// <summary>The same, with the class of the command and of the entity's events.</summary>
internal sealed record RegisteredMutation<TCommand, TEvent>(string Name, string StreamType, Func<IGrainFactory, string, TCommand, Task<CommandResult<TEvent>>> Send, JsonSerializerOptions Json)
    : RegisteredMutation(Name, typeof(TCommand), StreamType)
    where TCommand : class
{
    public override async Task<MutationFate> SendAsync(IGrainFactory grains, MutationRequested request)
    {
        TCommand command;
        try
        {
            command = request.Payload.Deserialize<TCommand>(Json) ?? throw new JsonException("The command is null.");
        }
        catch (JsonException e)
        {
            return MutationRejected.Of(request, "unreadable", e.Message);
        }

        return await Send(grains, request.Target, command) switch
        {
            Accepted<TEvent> a => new MutationAccepted(request.Mutation, $"{StreamType}/{request.Target}", a.Version, a.Position, a.Events.Count),
            Rejected<TEvent> r => MutationRejected.Of(request, r.Code, r.Reason),
            VersionMismatch<TEvent> m => MutationRejected.Of(request, "version-mismatch", $"The version is {m.Actual}, not {request.ExpectedVersion}."),
            IdReused<TEvent> => MutationRejected.Of(request, "id-reused", "The id was used before for another request."),
            var other => throw new Core.Log.LogUnavailableException($"The command was answered {other}; it is sent again."),
        };
    }

    public override string ToJson(object command) => JsonSerializer.Serialize((TCommand)command, Json);
}

/// <summary>The mutations that this program knows.</summary>
internal sealed class RegisteredMutations
{
    private readonly Dictionary<string, RegisteredMutation> _byName = new(StringComparer.Ordinal);
    private readonly Dictionary<Type, RegisteredMutation> _byCommand = [];

    /// <exception cref="Runtime.OrleansConfigurationException">A name or a class is registered twice.</exception>
    public RegisteredMutations(IEnumerable<RegisteredMutation> mutations)
    {
        foreach (var mutation in mutations)
        {
            if (!_byName.TryAdd(mutation.Name, mutation) || !_byCommand.TryAdd(mutation.Command, mutation))
            {
                throw new Runtime.OrleansConfigurationException($"The mutation '{mutation.Name}' of {mutation.Command} is registered twice, by name or by class.");
            }
        }
    }

    public RegisteredMutation? Find(string name) => _byName.GetValueOrDefault(name);

    public RegisteredMutation? Find(Type command) => _byCommand.GetValueOrDefault(command);
}
