namespace Orleans.EventSourced.UnitTests.Simulation;

/// <summary>
/// Between a silo and its stores. When the silo dies, what it has under way resolves either way, but never comes back to it, and it sends nothing more; when it is frozen, both wait until it wakes.
/// </summary>
/// <remarks>Each who waits has a task of its own: of several that wait for one task, the runtime lets some go on on the thread pool. For the same reason nothing is cancelled here.</remarks>
internal sealed class SimulatedGate(SimulatedThread thread)
{
    private readonly List<TaskCompletionSource> _waiting = [];
    private bool _isClosed;
    private bool _isDead;

    public async Task PassAsync()
    {
        thread.Check();
        while (_isClosed)
        {
            await Next().Task;
        }
    }

    public void Freeze() => _isClosed = true;

    public void Wake()
    {
        if (!_isDead)
        {
            _isClosed = false;
            Release();
        }
    }

    /// <summary>For ever.</summary>
    public void Die() => _isDead = _isClosed = true;

    private TaskCompletionSource Next()
    {
        var next = new TaskCompletionSource();
        _waiting.Add(next);
        return next;
    }

    private void Release()
    {
        foreach (var next in _waiting)
        {
            thread.Post(next.SetResult);
        }

        _waiting.Clear();
    }
}
