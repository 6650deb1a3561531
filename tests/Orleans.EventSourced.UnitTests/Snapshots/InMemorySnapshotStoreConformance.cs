using Orleans.EventSourced.Core.Snapshots;
using Orleans.EventSourced.Testing.Conformance;

namespace Orleans.EventSourced.UnitTests.Snapshots;

public sealed class InMemorySnapshotStoreConformance : SnapshotStoreConformance
{
    protected override Task<ISnapshotStore> OpenAsync() => Task.FromResult<ISnapshotStore>(new InMemorySnapshotStore());
}
