namespace Orleans.EventSourced.Benchmarks.Measures;

/// <summary>What this process takes from now on: managed memory allocated and processor time.</summary>
internal sealed class ProcessMeter
{
    private readonly long _allocated = GC.GetTotalAllocatedBytes();
    private readonly TimeSpan _cpu = Environment.CpuUsage.TotalTime;

    /// <summary>What was taken since.</summary>
    public Taken Read() => new(GC.GetTotalAllocatedBytes() - _allocated, Environment.CpuUsage.TotalTime - _cpu);

    /// <summary>What a stretch of work took.</summary>
    /// <param name="Bytes">Managed bytes allocated.</param>
    /// <param name="Cpu">Processor time, of all threads together.</param>
    public readonly record struct Taken(long Bytes, TimeSpan Cpu)
    {
        /// <summary>The round with what was taken, a call and an event.</summary>
        public Round AddTo(Round round, long calls, long events) => round.With(Quantity.BytesPerCall, Bytes / (double)calls).With(Quantity.CpuPerEvent, Cpu.TotalMicroseconds / events);
    }
}
