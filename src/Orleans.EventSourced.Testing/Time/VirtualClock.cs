namespace Orleans.EventSourced.Testing.Time;

/// <summary>
/// The time of day stands still until somebody moves it; what measures or waits goes on by the machine's clock. So facts are dated by the test, and neither a silo's heart nor a loop that polls
/// stops beating. Safe for concurrent use.
/// </summary>
/// <param name="start">The time at the beginning.</param>
internal sealed class VirtualClock(DateTimeOffset start) : TimeProvider
{
    private long _utcTicks = start.UtcTicks;

    public override TimeZoneInfo LocalTimeZone => TimeZoneInfo.Utc;

    public override DateTimeOffset GetUtcNow() => new(Interlocked.Read(ref _utcTicks), TimeSpan.Zero);

    public void MoveTo(DateTimeOffset now) => Interlocked.Exchange(ref _utcTicks, now.UtcTicks);
}
