using System.Linq.Expressions;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Projections;
using Orleans.EventSourced.Core.Reactions;
using Orleans.EventSourced.Operations;
using Orleans.EventSourced.Reactions;

namespace Orleans.EventSourced.Hosting;

/// <summary>Adds what is done because of events, and because of time, to a silo.</summary>
public static class ReactionHosting
{
    /// <summary>Calls a handler with each event of a family, once in the cluster, in the order of each stream, at least once. <see cref="ReactionOptions"/> says how.</summary>
    /// <param name="silo">The silo builder.</param>
    /// <param name="name">Its name: 1 to 40 characters of <c>a-z 0-9 - _</c>, the first a letter. Checkpoint and command ids hang on it.</param>
    /// <param name="handle">Sends what follows from an event. It is called for several streams at once.</param>
    /// <param name="start">Where it begins on a log that it has not seen; it is kept from then on.</param>
    /// <typeparam name="TEvent">The base type of the events that it reads.</typeparam>
    /// <exception cref="ArgumentException">The name is not so.</exception>
    public static ISiloBuilder AddReaction<TEvent>(this ISiloBuilder silo, string name, Func<ReactionContext<TEvent>, Task> handle, ReactionStart start = ReactionStart.Head)
        where TEvent : class
    {
        ArgumentNullException.ThrowIfNull(silo);
        ArgumentNullException.ThrowIfNull(handle);
        var reaction = new ReactionName(name);
        silo.Services.AddSingleton(provider =>
        {
            var (grains, logger) = (provider.GetRequiredService<IGrainFactory>(), Logger(provider));
            Task HandleAsync(RecordedEvent recorded, object payload, CancellationToken cancellationToken)
            {
                var cause = Task.FromResult(Cause.Of(recorded));
                var sender = new CommandSender(reaction.Actor, "reaction", ordinal => reaction.CommandOf(recorded.Id, ordinal), () => cause, grains, logger);
                return handle(new ReactionContext<TEvent>(recorded, (TEvent)payload, sender, provider, cancellationToken));
            }

            return new RegisteredReaction(
                new Reaction(reaction, typeof(TEvent), start, HandleAsync, Cause.IsOutage),
                provider.GetRequiredService<IReactionStore>(),
                provider.GetRequiredService<LogTail>(),
                provider.GetRequiredService<IOptions<ReactionOptions>>().Value,
                provider.GetRequiredService<TimeProvider>(),
                provider.GetRequiredService<ILoggerFactory>());
        });
        return silo;
    }

    /// <summary>
    /// Calls a handler with each row of a view that has fallen due, once in the cluster, earliest first, until an event deletes the row or moves its time. <see cref="DeadlineOptions"/>
    /// says how, and by which clock. The view is added by <c>AddView</c>.
    /// </summary>
    /// <param name="silo">The silo builder.</param>
    /// <param name="name">Its name: 1 to 40 characters of <c>a-z 0-9 - _</c>, the first a letter. Command ids hang on it.</param>
    /// <param name="due">The property that says when a row falls due: <c>row =&gt; row.DueAt</c>, a <see cref="DateTimeOffset"/> with <see cref="IndexedAttribute"/>.</param>
    /// <param name="handle">Sends what is due. It is called for several rows at once.</param>
    /// <typeparam name="TRow">The class of the rows.</typeparam>
    /// <exception cref="ArgumentException">The name is not so, or <paramref name="due"/> names no such property.</exception>
    public static ISiloBuilder AddDeadline<TRow>(this ISiloBuilder silo, string name, Expression<Func<TRow, DateTimeOffset>> due, Func<DeadlineContext<TRow>, Task> handle)
        where TRow : class
    {
        ArgumentNullException.ThrowIfNull(silo);
        ArgumentNullException.ThrowIfNull(handle);
        var deadline = new DeadlineName(name);
        _ = new Deadline<TRow>(deadline, due, static (_, _) => Task.CompletedTask);
        silo.Services.AddSingleton(provider =>
        {
            var (grains, log, logger) = (provider.GetRequiredService<IGrainFactory>(), provider.GetRequiredService<IEventLog>(), Logger(provider));
            Task HandleAsync(DueRow<TRow> row, CancellationToken cancellationToken)
            {
                async Task<Cause> CauseAsync() => await log.ReadLogAsync(new LogPosition(row.Position.Value - 1), 1, cancellationToken) is [var last, ..] ? Cause.Of(last) : new Cause(null, null, null);
                var sender = new CommandSender(deadline.Actor, "deadline", ordinal => deadline.CommandOf(row.Key, row.DueAt, ordinal), CauseAsync, grains, logger);
                return handle(new DeadlineContext<TRow>(row, sender, grains, provider, cancellationToken));
            }

            return new RegisteredDeadline(deadline, ViewId.Of(typeof(TRow)), () => DeadlineLoop.Of(
                new Deadline<TRow>(deadline, due, HandleAsync, Cause.IsOutage),
                provider.GetRequiredService<IViewStore>().Reader<TRow>(),
                provider.GetRequiredService<LogTail>(),
                provider.GetRequiredService<IOptions<DeadlineOptions>>().Value,
                provider.GetRequiredService<TimeProvider>(),
                logger));
        });
        return silo;
    }

    internal static void AddReactions(ISiloBuilder silo)
    {
        var services = silo.Services;
        services.AddReactions();
        services.TryAddSingleton<RegisteredReactions>();
        services.TryAddSingleton(provider => new ReactionControl(provider.GetRequiredService<RegisteredReactions>(), provider.GetRequiredService<IGrainFactory>(), provider.GetRequiredService<OperationsLog>(), provider.GetRequiredService<TimeProvider>()));
    }

    private static ILogger Logger(IServiceProvider provider) => provider.GetRequiredService<ILoggerFactory>().CreateLogger(RegisteredReactions.Logs);
}
