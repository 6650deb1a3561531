using System.Globalization;
using System.IO.Compression;
using System.Text;
using Fines;
using Orleans.EventSourced.Core.Deciding;
using Xunit;

namespace Orleans.EventSourced.UnitTests.Fines;

public sealed class XesReaderTests
{
    private const string Issue = """<event><string key="concept:name" value="Create Fine"/><date key="time:timestamp" value="2006-07-24T00:00:00+02:00"/><float key="amount" value="35.1"/><int key="article" value="157"/><int key="points" value="0"/><string key="vehicleClass" value="A"/><string key="dismissal" value="NIL"/><string key="org:resource" value="561"/></event>""";
    private const string Payment = """<event><string key="concept:name" value="Payment"/><date key="time:timestamp" value="2006-07-25T00:00:00+02:00"/><float key="paymentAmount" value="35.1"/></event>""";

    [Fact]
    public void a_trace_is_a_fine_with_its_commands_in_order()
    {
        var fine = Assert.Single(Read(Log(Trace("A1", Issue + Payment))));
        Assert.Equal("A1", fine.FineId);
        Assert.Equal(new IssueFine(new DateTimeOffset(2006, 7, 24, 0, 0, 0, TimeSpan.FromHours(2)), 35.1m, 157, 0, "A", "561", "NIL"), fine.Steps[0].Command);
        Assert.Equal(35.1m, Assert.IsType<RegisterPayment>(fine.Steps[1].Command).Amount);
        Assert.Equal(TimeSpan.FromHours(2), fine.Steps[1].Command.OccurredAt.Offset);
    }

    [Fact]
    public void gzip_is_recognised_by_its_first_bytes()
    {
        var packed = new MemoryStream();
        using (var gzip = new GZipStream(packed, CompressionMode.Compress, leaveOpen: true))
        {
            gzip.Write(Encoding.UTF8.GetBytes(Log(Trace("A1", Issue))));
        }

        packed.Position = 0;
        Assert.Equal("A1", Assert.Single(XesReader.Read(packed, "log.xes.gz")).FineId);

        var cut = new MemoryStream(packed.ToArray()[..(int)(packed.Length / 2)]);
        Assert.Throws<XesFormatException>(() => XesReader.Read(cut, "cut.xes.gz").ToList());
    }

    [Fact]
    public void a_compressed_file_that_is_damaged_from_its_first_byte_on_is_named()
    {
        // An unknown method of compression, where another damage is found later.
        byte[] damaged = [0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF];
        Assert.Contains("compressed file is damaged", Assert.Throws<XesFormatException>(() => XesReader.Read(new MemoryStream(damaged), "damaged.xes.gz").ToList()).Reason, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("hello", 1, "no well-formed XML")]
    [InlineData("", 0, "Root element is missing")]
    [InlineData("<html></html>", 1, "this is <html>")]
    [InlineData("<!DOCTYPE log [<!ENTITY a 'b'>]><log/>", 0, "DTD")]
    [InlineData("<log>\n<trace>\n<string key=\"concept:name\" value=\"A1\"/>", 3, "Unexpected end of file")]
    public void a_file_that_is_no_event_log_is_named_with_line_and_reason(string text, int line, string reason) => AssertFault(text, line, reason);

    [Theory]
    [InlineData("Create Fine", "Send Money", "'Send Money' is no activity")]
    [InlineData("""<float key="amount" value="35.1"/>""", "", "amount is missing")]
    [InlineData("35.1", "35,1", "amount is '35,1'")]
    [InlineData("35.1", "NaN", "amount is 'NaN'")]
    [InlineData("\"157\"", "\"1.5\"", "article is '1.5'")]
    [InlineData("2006-07-24T00:00:00+02:00", "yesterday", "time:timestamp is 'yesterday'")]
    [InlineData("2006-07-24T00:00:00+02:00", "12:00", "time:timestamp is '12:00'")]
    [InlineData("2006-07-24T00:00:00+02:00", "2006-07-24", "time:timestamp is '2006-07-24'")]
    [InlineData("2006-07-24T00:00:00+02:00", "07/24/2006 00:00:00", "time:timestamp is '07/24/2006 00:00:00'")]
    [InlineData("""<date key="time:timestamp" value="2006-07-24T00:00:00+02:00"/>""", "", "time:timestamp is missing")]
    public void a_bad_event_is_named_with_line_and_reason_and_what_came_before_is_read(string part, string bad, string reason)
    {
        var text = Log(Trace("A1", Issue) + "\n" + Trace("A2", "\n" + Issue.Replace(part, bad, StringComparison.Ordinal)));
        var read = new List<FineTrace>();
        var e = Assert.Throws<XesFormatException>(() => read.AddRange(Each(text, read)));
        Assert.Equal("A1", Assert.Single(read).FineId);
        Assert.Equal(("test.xes", 3), (e.File, e.Line));
        Assert.Contains(reason, e.Reason, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("2006-07-24T00:00:00Z", "2006-07-24T00:00:00+00:00")]
    [InlineData("2006-07-24T00:00:00", "2006-07-24T00:00:00+00:00")]
    [InlineData("2006-07-24T00:00:00.5-05:30", "2006-07-24T00:00:00.5-05:30")]
    [InlineData("2006-07-24T00:00:00.123456+02:00", "2006-07-24T00:00:00.123456+02:00")]
    public void a_date_is_one_of_ISO_8601_and_one_without_offset_is_UTC(string text, string expected)
    {
        var at = Assert.Single(Read(Log(Trace("A1", Issue.Replace("2006-07-24T00:00:00+02:00", text, StringComparison.Ordinal))))).Steps[0].Command.OccurredAt;
        Assert.Equal(DateTimeOffset.Parse(expected, CultureInfo.InvariantCulture), at);
        Assert.Equal(DateTimeOffset.Parse(expected, CultureInfo.InvariantCulture).Offset, at.Offset);
    }

    [Theory]
    [InlineData("~b/x/1", "does not begin with '~'")]
    [InlineData("a/b", "holds no '/'")]
    [InlineData("..", "is not '.' or '..'")]
    [InlineData("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", "allowed are 1 to 512", 6)]
    public void a_trace_whose_name_can_be_no_fines_id_is_refused_where_it_stands(string id, string reason, int times = 1) =>
        AssertFault(Log("\n" + Trace(string.Concat(Enumerable.Repeat(id, times)), Issue)), 2, reason);

    [Fact]
    public void a_trace_needs_a_name_and_an_event()
    {
        AssertFault(Log("<trace>" + Issue + "</trace>"), 1, "no concept:name");
        AssertFault(Log(Trace("A1", "")), 1, "no event");
    }

    [Fact]
    public void the_real_log_gives_the_published_figures()
    {
        if (RealLog.Path is not { } path)
        {
            Assert.Skip(RealLog.Missing);
            return;
        }

        var totals = new FineTotals();
        foreach (var trace in XesReader.Read(path))
        {
            var fine = Fine.Initial;
            foreach (var step in trace.Steps)
            {
                var decision = Assert.IsType<Decision<FineEvent>.Accept>(Fine.Decide(fine, step.Command));
                fine = Fine.Evolve(fine, decision.Events[0]);
                totals.Add(trace.FineId, decision.Events[0]);
            }
        }

        Assert.Equal((150_370, 561_470L, 6_723_851.64m, 7_937_576.03m, 1_242_539.04m, 59_013), (totals.Fines, totals.Events, totals.Created, totals.Penalties, totals.Expenses, totals.CreditCollection));
        Assert.Equal(new FineBalance(11_981_480.30m, 3_601_464.53m, 8_401_095.54m, 90_080, 60_290, 1_186, 21_079.77m), totals.Balance());
    }

    private static IEnumerable<FineTrace> Each(string text, List<FineTrace> read)
    {
        foreach (var trace in XesReader.Read(new MemoryStream(Encoding.UTF8.GetBytes(text)), "test.xes"))
        {
            read.Add(trace);
        }

        return [];
    }

    private static List<FineTrace> Read(string text) => [.. XesReader.Read(new MemoryStream(Encoding.UTF8.GetBytes(text)), "test.xes")];

    private static void AssertFault(string text, int line, string reason)
    {
        var e = Assert.Throws<XesFormatException>(() => Read(text));
        Assert.Contains(reason, e.Reason, StringComparison.Ordinal);
        Assert.Equal(line, e.Line);
        Assert.StartsWith($"test.xes({line}): ", e.Message, StringComparison.Ordinal);
    }

    private static string Log(string traces) => $"<log xes.version=\"1.0\">{traces}</log>";

    private static string Trace(string id, string events) => $"<trace><string key=\"concept:name\" value=\"{id}\"/>{events}</trace>";
}
