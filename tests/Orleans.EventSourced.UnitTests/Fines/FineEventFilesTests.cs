using System.Text;
using System.Text.Json;
using Fines;
using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Mutations;
using Orleans.EventSourced.Operations;
using Xunit;

namespace Orleans.EventSourced.UnitTests.Fines;

/// <summary>Every event ever written still reads: one file a type and version, as it is in logs out there.</summary>
public sealed class FineEventFilesTests
{
    private static readonly DateTimeOffset At = new(2006, 7, 24, 0, 0, 0, TimeSpan.FromHours(2));

    private static readonly Guid Mutation = new("019a0000-0000-7000-8000-000000000001");

    private static readonly Dictionary<string, object> Events = new()
    {
        ["fine-issued.1"] = new FineIssued(At, 35.50m, 157, 0, "A", "561", "NIL"),
        ["fine-issued.2"] = new FineIssued(At, 35.50m, 157, 0, "A", "561", "NIL"),
        ["fine-sent.1"] = new FineSent(At, 11.00m),
        ["notification-inserted.1"] = new NotificationInserted(At, "P", "C"),
        ["penalty-added.1"] = new PenaltyAdded(At, 71.50m),
        ["payment-received.1"] = new PaymentReceived(At, 87.00m),
        ["prefecture-appeal-dated.1"] = new PrefectureAppealDated(At),
        ["prefecture-appeal-sent.1"] = new PrefectureAppealSent(At, "NIL"),
        ["prefecture-result-received.1"] = new PrefectureResultReceived(At),
        ["prefecture-result-notified.1"] = new PrefectureResultNotified(At),
        ["judge-appealed.1"] = new JudgeAppealed(At, "G", 12, "561"),
        ["credit-collection-begun.1"] = new CreditCollectionBegun(At),
        ["mutation-requested.1"] = new MutationRequested(Mutation, "register-payment", "A1", JsonSerializer.SerializeToElement(new { amount = 87.00m }), "0a1b", 3),
        ["mutation-accepted.1"] = new MutationAccepted(Mutation, "fine/A1", 4, 7, 1),
        ["mutation-rejected.1"] = new MutationRejected(Mutation, "overdrawn", "Too much."),
        ["operation-requested.1"] = new OperationRequested(Mutation, "projection-skip", "view:fine_summary", "Sent by mistake.", JsonSerializer.SerializeToElement(new { position = 6 }), JsonSerializer.SerializeToElement(new { version = 1, skipped = 7 })),
        ["operation-declined.1"] = new OperationDeclined(Mutation, "There is no such branch."),
        ["operation-performed.1"] = new OperationPerformed("projection-skip", "view:fine_summary", "Sent by mistake.", JsonSerializer.SerializeToElement(new { position = 6 }), null),
        ["mutation-unknown.1"] = new MutationUnknown(Mutation, "No answer."),
    };

    private readonly JsonEventCodec _codec = new(FineEventTypes.Map);

    public static TheoryData<string> Names => [.. Events.Keys];

    private static string Folder => Path.Combine(AppContext.BaseDirectory, "Fines", "Golden");

    [Theory]
    [MemberData(nameof(Names))]
    public void a_file_reads_as_its_event(string name)
    {
        var (type, schema) = (name.Split('.')[0], short.Parse(name.Split('.')[1], null));
        var recorded = new RecordedEvent(new LogPosition(1), new StreamId("fine/a"), new StreamVersion(1), EventId.Derive(CommandId.FromText("x"), new StreamId("fine/a"), 0), type, schema, Text(name), "{}"u8.ToArray(), At);
        Assert.Equal(Written(Events[name]), Written(_codec.Decode(recorded)));
    }

    [Fact]
    public void the_current_version_of_each_type_is_written_as_its_file_is()
    {
        foreach (var (type, version) in FineEventTypes.Map.Names)
        {
            var name = $"{type}.{version}";
            Assert.Equal((type, version, Encoding.UTF8.GetString(Text(name))), Written(Events[name]));
        }
    }

    [Fact]
    public void every_version_of_every_type_has_its_file_and_no_other_file_is_there()
    {
        var expected = FineEventTypes.Map.Names.SelectMany(n => Enumerable.Range(1, n.Value).Select(v => $"{n.Key}.{v}")).Order();
        Assert.Equal(expected, Directory.GetFiles(Folder, "*.json").Select(f => Path.GetFileNameWithoutExtension(f)!).Order());
        Assert.Equal(expected, Events.Keys.Order());
    }

    private (string Type, short Schema, string Data) Written(object e)
    {
        var encoded = _codec.Encode(EventId.Derive(CommandId.FromText("x"), new StreamId("fine/a"), 0), e, "{}"u8.ToArray());
        return (encoded.Type, encoded.Schema, Encoding.UTF8.GetString(encoded.Data.Span));
    }

    private static byte[] Text(string name) => Encoding.UTF8.GetBytes(File.ReadAllText(Path.Combine(Folder, name + ".json")).TrimEnd('\n'));
}
