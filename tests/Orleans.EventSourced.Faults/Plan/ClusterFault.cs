namespace Orleans.EventSourced.Faults.Plan;

/// <summary>What can befall a cluster that runs. Each lasts as long as its plan says, then it is undone.</summary>
internal enum ClusterFault
{
    /// <summary>kill -9 of a silo; its supervisor starts it again.</summary>
    SiloKilled,

    /// <summary>SIGTERM of a silo under load; its supervisor starts it again.</summary>
    SiloTerminated,

    /// <summary>SIGSTOP of a silo, then SIGCONT: a zombie that still thinks it owns its grains. Declared dead, it must exit, and its supervisor starts it again.</summary>
    SiloStopped,

    /// <summary>All silos stopped in good order and started again, one after the other.</summary>
    RollingRestart,

    /// <summary>A silo is stopped in good order and started again, as the older program or as the newer one in turn; one silo after the other.</summary>
    SiloReplaced,

    /// <summary>kill -9 of one backend of the server, upon which the server ends all and recovers.</summary>
    BackendKilled,

    /// <summary>pg_terminate_backend of several sessions of the silos, in whatever they are doing.</summary>
    BackendsTerminated,

    /// <summary>pg_cancel_backend of several sessions of the silos (57014).</summary>
    StatementsCancelled,

    /// <summary>kill -9 of the whole server, started again after a while: recovery from the write-ahead log.</summary>
    ServerKilled,

    /// <summary>SIGSTOP of the whole server, then SIGCONT.</summary>
    ServerStopped,

    /// <summary>The disk of the server is full.</summary>
    DiskFull,

    /// <summary>Rows of hot streams are locked by another session, longer than a lock may be waited for.</summary>
    StreamsLocked,

    /// <summary>The lock that orders commits is held by another session.</summary>
    CommitLockHeld,

    /// <summary>Another session locks streams' rows against the order in which appends do: a deadlock.</summary>
    Deadlock,

    /// <summary>A snapshot is held open on the server, as by a dump.</summary>
    SnapshotHeld,

    /// <summary>An append is cut off before it has arrived whole.</summary>
    CutBeforeAppend,

    /// <summary>An append was committed, and its reply is cut off.</summary>
    CutAfterAppend,

    /// <summary>An append was committed, and its connection falls silent.</summary>
    BlackHoleAfterAppend,

    /// <summary>A step of a view is cut off before its COMMIT has arrived.</summary>
    CutBeforeCommit,

    /// <summary>A step of a view was committed, and the reply is cut off.</summary>
    CutAfterCommit,

    /// <summary>A step of a view was committed, and its connection falls silent.</summary>
    BlackHoleAfterCommit,

    /// <summary>All connections of a silo to the server are reset.</summary>
    ConnectionsReset,

    /// <summary>All connections of a silo to the server are half-closed.</summary>
    ConnectionsHalfClosed,

    /// <summary>Nothing passes between a silo and the server for a while, then all of it.</summary>
    NetworkStalled,

    /// <summary>A silo cannot make connections to the server.</summary>
    ConnectionsRefused,

    /// <summary>What passes between a silo and the server is late.</summary>
    Latency,

    /// <summary>Little passes between a silo and the server in a second.</summary>
    Narrow,

    /// <summary>A silo of another cluster works on the same store: duplicate activations.</summary>
    TwinCluster,

    /// <summary>A silo is started again with its clock an hour ahead, and later with the right one.</summary>
    ClockAhead,

    /// <summary>A silo is started again with two connections to the log, and later with all of them.</summary>
    SmallPool,
}
