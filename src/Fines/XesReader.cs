using System.Globalization;
using System.IO.Compression;
using System.Xml;

namespace Fines;

/// <summary>
/// Reads traffic fines from an event log in XES (IEEE 1849), plain or gzipped, one trace at a time: the file is never in memory as a whole.
/// </summary>
/// <remarks>Dates keep their offset; amounts are read as decimals, never as binary fractions. A document type, and with it every entity, is refused.</remarks>
public static class XesReader
{
    private const int MaxEventsPerTrace = 10_000;
    private const int MaxAttributesPerEvent = 100;
    private const int MaxText = 10_000;
    private const int MaxShown = 80;
    private const int MaxDepth = 100;
    private const long MaxCharacters = 64L * 1024 * 1024 * 1024;

    /// <summary>Of one element with its attributes, text or comment: as much of it as that may be in memory.</summary>
    private const int MaxNodeBytes = 4 * 1024 * 1024;

    /// <summary>A date of XES is an <c>xs:dateTime</c>, with a fraction of a second or none. One without an offset is taken as UTC.</summary>
    private const string DateFormat = "yyyy-MM-dd'T'HH:mm:ss.FFFFFFFK";


    /// <summary>The traces of a file, in the order of the file.</summary>
    /// <param name="path">The file.</param>
    /// <exception cref="XesFormatException">While enumerating: the file is not what it should be; line and reason are named.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    public static IEnumerable<FineTrace> Read(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        using var file = File.OpenRead(path);
        foreach (var trace in Read(file, path))
        {
            yield return trace;
        }
    }

    /// <summary>The traces of a stream.</summary>
    /// <param name="stream">XML or gzip; it can seek. It stays open.</param>
    /// <param name="name">What to call it in errors.</param>
    /// <exception cref="XesFormatException">As above.</exception>
    public static IEnumerable<FineTrace> Read(Stream stream, string name)
    {
        ArgumentNullException.ThrowIfNull(stream);
        using var plain = IsGzip(stream) ? new GZipStream(stream, CompressionMode.Decompress, leaveOpen: true) : stream;
        using var rationed = new RationedStream(plain, MaxNodeBytes);
        using var xml = Open(rationed, name);
        var cursor = new Cursor(xml, rationed, name);
        cursor.ToLog();
        while (cursor.NextTrace() is { } trace)
        {
            yield return trace;
        }
    }

    /// <summary>The reader of XML looks at the first bytes when it is made.</summary>
    private static XmlReader Open(RationedStream stream, string name)
    {
        try
        {
            return XmlReader.Create(stream, new XmlReaderSettings { DtdProcessing = DtdProcessing.Prohibit, XmlResolver = null, MaxCharactersInDocument = MaxCharacters, IgnoreWhitespace = true, IgnoreComments = true, CloseInput = false });
        }
        catch (XmlException e)
        {
            throw new XesFormatException(name, e.LineNumber, $"this is no well-formed XML: {e.Message}", e);
        }
        catch (Exception e) when (e is InvalidDataException or EndOfStreamException)
        {
            throw new XesFormatException(name, 0, $"the compressed file is damaged or cut off: {e.Message}", e);
        }
    }

    private static bool IsGzip(Stream stream)
    {
        Span<byte> magic = stackalloc byte[2];
        var start = stream.Position;
        var read = stream.ReadAtLeast(magic, 2, throwOnEndOfStream: false);
        stream.Position = start;
        return read == 2 && magic[0] == 0x1F && magic[1] == 0x8B;
    }

    /// <summary>A place in the document. Every fault of the XML or of the compression becomes one with file and line.</summary>
    private sealed class Cursor(XmlReader xml, RationedStream ration, string file)
    {
        private readonly Dictionary<string, string> _attributes = new(StringComparer.Ordinal);

        private int Line => xml is IXmlLineInfo info && info.HasLineInfo() ? info.LineNumber : 0;

        public void ToLog()
        {
            while (Read())
            {
                if (xml.NodeType == XmlNodeType.Element)
                {
                    if (xml.LocalName != "log")
                    {
                        throw Fault($"an event log in XES begins with <log>; this is <{xml.LocalName}>.");
                    }

                    return;
                }
            }

            throw Fault("the file holds no <log>.");
        }

        public FineTrace? NextTrace()
        {
            while (Read())
            {
                if (xml.NodeType == XmlNodeType.Element && xml.Depth == 1 && xml.LocalName == "trace")
                {
                    return Trace();
                }

                if (xml.NodeType == XmlNodeType.EndElement && xml.Depth == 0)
                {
                    return null;
                }
            }

            throw Fault("the file ends before </log>: it is cut off.");
        }

        private FineTrace Trace()
        {
            var line = Line;
            string? id = null;
            var steps = new List<FineStep>(8);
            var hasContent = !xml.IsEmptyElement;
            while (hasContent && Read() && xml is not { NodeType: XmlNodeType.EndElement, LocalName: "trace" })
            {
                if (xml is { NodeType: XmlNodeType.Element, Depth: 2, LocalName: "event" })
                {
                    steps.Add(Event());
                    if (steps.Count > MaxEventsPerTrace)
                    {
                        throw Fault($"this trace has more than {MaxEventsPerTrace} events.");
                    }
                }
                else if (xml is { NodeType: XmlNodeType.Element, Depth: 2 } && xml.GetAttribute("key") == "concept:name")
                {
                    id = xml.GetAttribute("value");
                }
            }

            if (string.IsNullOrWhiteSpace(id))
            {
                throw new XesFormatException(file, line, "this trace has no concept:name, which is the fine's id.");
            }

            try
            {
                _ = FineId.StreamOf(id);
            }
            catch (ArgumentException e)
            {
                throw new XesFormatException(file, line, $"concept:name '{(id.Length <= MaxShown ? id : id[..MaxShown] + "…")}' can be no fine's id: {e.Message}", e);
            }

            return steps.Count > 0 ? new FineTrace(id, steps) : throw new XesFormatException(file, line, $"trace '{id}' has no event.");
        }

        private FineStep Event()
        {
            var line = Line;
            _attributes.Clear();
            var hasContent = !xml.IsEmptyElement;
            while (hasContent && Read() && xml is not { NodeType: XmlNodeType.EndElement, LocalName: "event" })
            {
                if (xml.NodeType == XmlNodeType.Element && xml.Depth == 3 && xml.GetAttribute("key") is { } key)
                {
                    var value = xml.GetAttribute("value") ?? "";
                    if (value.Length > MaxText || _attributes.Count >= MaxAttributesPerEvent)
                    {
                        throw Fault($"this event has more than {MaxAttributesPerEvent} attributes, or one of more than {MaxText} characters.");
                    }

                    _attributes[key] = value;
                }
            }

            try
            {
                return new FineStep(Command(), line);
            }
            catch (FormatException e)
            {
                throw new XesFormatException(file, line, e.Message, e);
            }
        }

        private FineCommand Command()
        {
            var at = At();
            return Text("concept:name") switch
            {
                "Create Fine" => new IssueFine(at, Money("amount"), Number("article"), Number("points"), Text("vehicleClass"), Text("org:resource"), Text("dismissal")),
                "Send Fine" => new SendFine(at, Money("expense")),
                "Insert Fine Notification" => new InsertNotification(at, Text("notificationType"), Find("lastSent")),
                "Add penalty" => new AddPenalty(at, Money("amount")),
                "Payment" => new RegisterPayment(at, Money("paymentAmount")),
                "Insert Date Appeal to Prefecture" => new DatePrefectureAppeal(at),
                "Send Appeal to Prefecture" => new SendPrefectureAppeal(at, Text("dismissal")),
                "Receive Result Appeal from Prefecture" => new ReceivePrefectureResult(at),
                "Notify Result Appeal to Offender" => new NotifyPrefectureResult(at),
                "Appeal to Judge" => new AppealToJudge(at, Text("dismissal"), Find("matricola") is null ? null : Number("matricola"), Find("org:resource")),
                "Send for Credit Collection" => new SendToCreditCollection(at),
                var unknown => throw new FormatException($"'{unknown}' is no activity of a traffic fine."),
            };
        }

        private DateTimeOffset At() =>
            DateTimeOffset.TryParseExact(Text("time:timestamp"), DateFormat, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var at)
                ? at
                : throw new FormatException($"time:timestamp is '{Text("time:timestamp")}', which is no date and time of ISO 8601, like 2006-07-24T00:00:00+02:00.");

        private decimal Money(string key) =>
            decimal.TryParse(Text(key), NumberStyles.AllowLeadingSign | NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var amount)
                ? amount
                : throw new FormatException($"{key} is '{Text(key)}', which is no amount.");

        private int Number(string key) =>
            int.TryParse(Text(key), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number)
                ? number
                : throw new FormatException($"{key} is '{Text(key)}', which is no whole number.");

        private string Text(string key) => Find(key) ?? throw new FormatException($"the attribute {key} is missing.");

        private string? Find(string key) => _attributes.GetValueOrDefault(key);

        private bool Read()
        {
            try
            {
                ration.Renew();
                return xml.Read() && (xml.Depth <= MaxDepth ? true : throw Fault($"elements are nested more than {MaxDepth} deep."));
            }
            catch (RationException e)
            {
                throw new XesFormatException(file, Line, $"an element here has more than {MaxNodeBytes} bytes.", e);
            }
            catch (XmlException e)
            {
                throw new XesFormatException(file, e.LineNumber, $"this is no well-formed XML: {e.Message}", e);
            }
            catch (Exception e) when (e is InvalidDataException or EndOfStreamException)
            {
                throw new XesFormatException(file, Line, $"the compressed file is damaged or cut off: {e.Message}", e);
            }
        }

        private XesFormatException Fault(string reason) => new(file, Line, reason);
    }
}
