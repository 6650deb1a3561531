using System.Globalization;
using Orleans.EventSourced.Core.Log;

namespace Orleans.EventSourced.Core.History;

/// <summary>Which past is meant.</summary>
public abstract record PointInTime
{
    private const string Forms = "a point in time is a position such as '4711', a version such as 'v3', a time of recording such as '2005-12-31T23:59:59+01:00', or a business time such as 'business:2005-12-31T23:59:59+01:00'; a time has an offset or Z";

    private static readonly string[] TimeFormats = ["yyyy-MM-ddTHH:mm:ss.FFFFFFFK", "yyyy-MM-ddTHH:mmK"];

    private PointInTime()
    {
    }

    /// <summary>Reads what <see cref="ToString"/> writes. Of query strings: a blank before the offset is the plus that the address lost.</summary>
    /// <exception cref="HistoryException">It is none of the forms.</exception>
    public static PointInTime Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        var (form, value) = text.Split(':', 2) is ["business" or "recorded" or "position" or "version", var rest] ? (text[..text.IndexOf(':', StringComparison.Ordinal)], rest) : ("", text);
        return form switch
        {
            "business" => new AtBusiness(ReadTime(value)),
            "recorded" => new AtRecorded(ReadTime(value)),
            "position" => new AtPosition(new LogPosition(ReadNumber(value))),
            "version" => new AtVersion(ReadVersion(value)),
            _ when value is ['v', .. var version] => new AtVersion(ReadVersion(version)),
            _ when value.All(char.IsAsciiDigit) => new AtPosition(new LogPosition(ReadNumber(value))),
            _ => new AtRecorded(ReadTime(value)),
        };
    }

    private static StreamVersion ReadVersion(string text) => ReadNumber(text) is <= int.MaxValue and var number ? new StreamVersion((int)number) : throw Fault(text);

    private static long ReadNumber(string text) => long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : throw Fault(text);

    private static DateTimeOffset ReadTime(string text)
    {
        // A time without an offset is another one on every machine.
        var written = text.Replace(' ', '+');
        return (written.EndsWith('Z') || written.LastIndexOfAny(['+', '-']) > written.IndexOf('T', StringComparison.Ordinal))
            && DateTimeOffset.TryParseExact(written, TimeFormats, CultureInfo.InvariantCulture, DateTimeStyles.None, out var time) ? time : throw Fault(text);
    }

    private static HistoryException Fault(string text) => new(HistoryFault.BadPoint, $"'{text}' is no point in time: {Forms}.");

    /// <summary>After the event with this version of one stream; version 0 is before its first.</summary>
    /// <param name="Version">The version.</param>
    public sealed record AtVersion(StreamVersion Version) : PointInTime
    {
        /// <inheritdoc/>
        public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"v{Version.Value}");
    }

    /// <summary>After the event at this position of the log.</summary>
    /// <param name="Position">The position.</param>
    public sealed record AtPosition(LogPosition Position) : PointInTime
    {
        /// <inheritdoc/>
        public override string ToString() => Position.Value.ToString(CultureInfo.InvariantCulture);
    }

    /// <summary>After the last commit that was recorded at or before this time. It is final once a later commit is there.</summary>
    /// <param name="Time">By the clock of the store, to the microsecond.</param>
    public sealed record AtRecorded(DateTimeOffset Time) : PointInTime
    {
        /// <inheritdoc/>
        public override string ToString() => Time.ToString("O", CultureInfo.InvariantCulture);
    }

    /// <summary>What had happened in the world by this time, whenever it was recorded: the events that say so, in the order of the log. See <see cref="Events.IBusinessEvent"/>.</summary>
    /// <param name="Time">The time.</param>
    public sealed record AtBusiness(DateTimeOffset Time) : PointInTime
    {
        /// <inheritdoc/>
        public override string ToString() => "business:" + Time.ToString("O", CultureInfo.InvariantCulture);
    }
}
