using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Reactions;
using Orleans.EventSourced.Grains;
using Orleans.EventSourced.Mutations;

namespace Orleans.EventSourced.Hosting;

/// <summary>Adds queues of requests for mutations to a silo.</summary>
public static class MutationHosting
{
    /// <summary>
    /// Lets a command be asked for through a session (<see cref="MutationQueue"/>). The map of event types has <see cref="SessionEventTypes.AddSessionEvents"/>, and the log has a
    /// reaction more, <c>es-mutations</c>, that executes what is asked for.
    /// </summary>
    /// <param name="silo">The silo builder.</param>
    /// <param name="name">The command's name in the log, 1 to 128 characters: it outlives the class's.</param>
    /// <param name="streamType">The grain type of the entity, which is the type of its stream.</param>
    /// <param name="send">Sends the command to the entity with a key.</param>
    /// <param name="json">How the command is written and read; null: <see cref="JsonSerializerOptions.Web"/>.</param>
    /// <typeparam name="TCommand">The class of the command; each has one name.</typeparam>
    /// <typeparam name="TEvent">The base type of the entity's events.</typeparam>
    /// <exception cref="ArgumentException">The name is not so.</exception>
    public static ISiloBuilder AddMutation<TCommand, TEvent>(
        this ISiloBuilder silo, string name, string streamType, Func<IGrainFactory, string, TCommand, Task<CommandResult<TEvent>>> send, JsonSerializerOptions? json = null)
        where TCommand : class
    {
        ArgumentNullException.ThrowIfNull(silo);
        ArgumentException.ThrowIfNullOrEmpty(name);
        ArgumentException.ThrowIfNullOrEmpty(streamType);
        ArgumentNullException.ThrowIfNull(send);
        if (name.Length > RegisteredMutation.MaxName)
        {
            throw new ArgumentException($"A mutation's name is 1 to {RegisteredMutation.MaxName} characters; got {name.Length}.", nameof(name));
        }

        silo.Services.AddSingleton<RegisteredMutation>(new RegisteredMutation<TCommand, TEvent>(name, streamType, send, json ?? JsonSerializerOptions.Web));
        if (silo.Services.All(s => s.ServiceType != typeof(RegisteredMutations)))
        {
            silo.Services.TryAddSingleton<RegisteredMutations>();
            silo.Services.TryAddSingleton(provider => new MutationQueue(
                provider.GetRequiredService<RegisteredMutations>(),
                provider.GetRequiredService<IGrainFactory>(),
                provider.GetRequiredService<StreamLoader>(),
                provider.GetRequiredService<JsonEventCodec>(),
                provider.GetRequiredService<LogTail>(),
                provider.GetRequiredService<TimeProvider>()));
            silo.Services.TryAddSingleton<MutationRunner>();
            silo.AddReaction<SessionEvent>(MutationRunner.Name, context => context.Services.GetRequiredService<MutationRunner>().HandleAsync(context), ReactionStart.Beginning);
        }

        return silo;
    }
}
