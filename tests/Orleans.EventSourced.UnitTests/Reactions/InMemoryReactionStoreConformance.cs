using Orleans.EventSourced.Core.Reactions;
using Orleans.EventSourced.Testing.Conformance;

namespace Orleans.EventSourced.UnitTests.Reactions;

public sealed class InMemoryReactionStoreConformance : ReactionStoreConformance
{
    private readonly InMemoryReactionStore _store = new();

    protected override Task<IReactionStore> OpenAsync() => Task.FromResult<IReactionStore>(_store);
}
