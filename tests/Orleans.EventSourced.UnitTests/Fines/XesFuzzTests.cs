using System.Diagnostics;
using System.Globalization;
using System.IO.Compression;
using System.Text;
using Fines;
using Orleans.EventSourced.Core.Deciding;
using Xunit;

namespace Orleans.EventSourced.UnitTests.Fines;

/// <summary>Spoilt event logs. <c>EVENTSOURCED_FUZZ_SEED</c> makes the same inputs again, <c>EVENTSOURCED_FUZZ_INPUTS</c> says how many.</summary>
public sealed class XesFuzzTests(ITestOutputHelper output)
{
    private const string Valid = """
        <?xml version="1.0" encoding="UTF-8"?>
        <log xes.version="1.0"><extension name="Concept" prefix="concept" uri="http://www.xes-standard.org/concept.xesext"/>
        <trace><string key="concept:name" value="A1"/>
        <event><string key="concept:name" value="Create Fine"/><date key="time:timestamp" value="2006-07-24T00:00:00+02:00"/><float key="amount" value="35.1"/><int key="article" value="157"/><int key="points" value="0"/><string key="vehicleClass" value="A"/><string key="dismissal" value="NIL"/><string key="org:resource" value="561"/></event>
        <event><string key="concept:name" value="Send Fine"/><date key="time:timestamp" value="2006-07-25T00:00:00+02:00"/><float key="expense" value="11.0"/></event>
        <event><string key="concept:name" value="Payment"/><date key="time:timestamp" value="2006-07-26T00:00:00+02:00"/><float key="paymentAmount" value="35.1"/></event>
        </trace></log>
        """;

    private static readonly string[] Odd =
    [
        "", " ", "~", "/", "..", "-1", "0", "1e400", "NaN", "79228162514264337593543950335", "99999999999999999999999999999", "0.00000000000000000000000000001", "2147483648", "&#0;", "&#xD800;", "&amp;", "&a;", "<", "\"", "é", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59.9999999-14:00",
        "2006-02-30T00:00:00Z", "Payment", "Create Fine", "Add penalty", "<!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/passwd'>]>", "<![CDATA[", "<!--", "]]>", "<?x?>", "<trace>", "</trace>", "<event/>", "</log>", "xmlns=\"x\"", "\ufeff",
    ];

    [Fact]
    public void no_spoilt_file_ends_in_anything_but_fines_or_a_fault_with_a_place()
    {
        var seed = Setting("SEED", Random.Shared.Next());
        var inputs = Setting("INPUTS", 2_000);
        output.WriteLine($"EVENTSOURCED_FUZZ_SEED={seed} EVENTSOURCED_FUZZ_INPUTS={inputs}");
        var started = Stopwatch.GetTimestamp();
        var (read, refused) = (0, 0);
        for (var input = 0; input < inputs; input++)
        {
            var bytes = Spoil(new Random(unchecked((seed * 1_000_003) + input)));
            try
            {
                foreach (var trace in XesReader.Read(new MemoryStream(bytes), "fuzz.xes"))
                {
                    // Whatever is read as a command can be decided, and folded.
                    trace.Steps.Aggregate(Fine.Initial, (fine, step) => Fine.Decide(fine, step.Command) is Decision<FineEvent>.Accept accept ? accept.Events.Aggregate(fine, Fine.Evolve) : fine);
                    read++;
                }
            }
            catch (XesFormatException e)
            {
                Assert.Equal("fuzz.xes", e.File);
                refused++;
            }
            catch (Exception e)
            {
                Assert.Fail($"Input {input} of seed {seed}: {e}\n{Encoding.Latin1.GetString(bytes[..Math.Min(bytes.Length, 3_000)])}");
            }
        }

        output.WriteLine($"{Stopwatch.GetElapsedTime(started).TotalSeconds:0.0} s, {read} fines, {refused} refused");
        Assert.True(read > 0 && refused > 0);
    }

    [Theory]
    [InlineData("<log><trace><string key=\"concept:name\" value=\"", "x", 5_000_000, "more than 4194304 bytes")]
    [InlineData("<log><!--", "x", 5_000_000, "more than 4194304 bytes")]
    [InlineData("<log>", "<list>", 200, "nested more than 100 deep")]
    public void what_would_fill_the_memory_is_refused_though_it_is_small_when_packed(string begin, string part, int times, string reason)
    {
        var packed = new MemoryStream();
        using (var gzip = new GZipStream(packed, CompressionLevel.Fastest, leaveOpen: true))
        {
            gzip.Write(Encoding.UTF8.GetBytes(begin));
            gzip.Write(Encoding.UTF8.GetBytes(string.Concat(Enumerable.Repeat(part, times))));
        }

        packed.Position = 0;
        Assert.Contains(reason, Assert.Throws<XesFormatException>(() => XesReader.Read(packed, "bomb.xes.gz").ToList()).Reason, StringComparison.Ordinal);
    }

    private static int Setting(string name, int otherwise) => Environment.GetEnvironmentVariable($"EVENTSOURCED_FUZZ_{name}") is { Length: > 0 } text ? int.Parse(text, CultureInfo.InvariantCulture) : otherwise;

    private static byte[] Spoil(Random random)
    {
        var text = Valid;
        for (var faults = random.Next(0, 4); faults > 0; faults--)
        {
            var at = random.Next(text.Length);
            var to = Math.Min(text.Length, at + random.Next(1, 60));
            text = random.Next(6) switch
            {
                0 => text[..at],
                1 => text[..at] + text[to..],
                2 => text[..to] + text[at..],
                3 => text[..at] + Odd[random.Next(Odd.Length)] + text[at..],
                _ => InValue(text, at, Odd[random.Next(Odd.Length)]),
            };
            text = text.Length == 0 ? Valid : text;
        }

        var bytes = Encoding.UTF8.GetBytes(text);
        for (var flips = random.Next(4) == 0 ? random.Next(1, 5) : 0; flips > 0; flips--)
        {
            bytes[random.Next(bytes.Length)] = (byte)random.Next(256);
        }

        return random.Next(8) == 0 ? Packed(bytes, random) : bytes;
    }

    /// <summary>The value of the attribute behind a place.</summary>
    private static string InValue(string text, int at, string value)
    {
        const string Begin = "value=\"";
        var begin = text.IndexOf(Begin, at, StringComparison.Ordinal);
        var end = begin < 0 ? -1 : text.IndexOf('"', begin + Begin.Length);
        return end < 0 ? text : text[..(begin + Begin.Length)] + value + text[end..];
    }

    private static byte[] Packed(byte[] bytes, Random random)
    {
        var packed = new MemoryStream();
        using (var gzip = new GZipStream(packed, CompressionLevel.Fastest, leaveOpen: true))
        {
            gzip.Write(bytes);
        }

        var all = packed.ToArray();
        return random.Next(3) switch
        {
            0 => all,
            1 => all[..random.Next(2, all.Length)],
            _ => [.. all[..10], .. all[10..].Select(b => random.Next(50) == 0 ? (byte)random.Next(256) : b)],
        };
    }
}
