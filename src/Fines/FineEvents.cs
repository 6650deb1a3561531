using System.Text.Json.Serialization;
using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Mutations;
using Orleans.EventSourced.Operations;

namespace Fines;

/// <summary>What happened to a traffic fine.</summary>
/// <param name="OccurredAt">When it happened in the city, which is not when the log recorded it.</param>
[GenerateSerializer, Immutable, Alias("Fines.FineEvent")]
public abstract record FineEvent([property: Id(0)] DateTimeOffset OccurredAt) : IBusinessEvent;

/// <summary>The fine was made out.</summary>
/// <param name="OccurredAt">When it was.</param>
/// <param name="Amount">What it costs, 0 or more.</param>
/// <param name="Article">The article of the traffic code.</param>
/// <param name="Points">The points taken from the driving licence.</param>
/// <param name="VehicleClass">One upper-case letter.</param>
/// <param name="Officer">Who made it out.</param>
/// <param name="Dismissal">The city's code for whether it was dismissed; NIL: it was not. Since version 2.</param>
[EventType("fine-issued", Version = 2), GenerateSerializer, Immutable, Alias("Fines.FineIssued")]
public sealed record FineIssued(
    DateTimeOffset OccurredAt,
    [property: Id(0)] decimal Amount,
    [property: Id(1)] int Article,
    [property: Id(2)] int Points,
    [property: Id(3)] string VehicleClass,
    [property: Id(4)] string Officer,
    [property: Id(5)] string Dismissal) : FineEvent(OccurredAt);

/// <summary>The fine was sent by post.</summary>
/// <param name="OccurredAt">When it was.</param>
/// <param name="Expense">The postal cost, added to what is due.</param>
[EventType("fine-sent"), GenerateSerializer, Immutable, Alias("Fines.FineSent")]
public sealed record FineSent(DateTimeOffset OccurredAt, [property: Id(0)] decimal Expense) : FineEvent(OccurredAt);

/// <summary>The offender was notified; the terms begin to run.</summary>
/// <param name="OccurredAt">When that was.</param>
/// <param name="NotificationType">How: P or C.</param>
/// <param name="LastSent">Where it was sent last; often unknown.</param>
[EventType("notification-inserted"), GenerateSerializer, Immutable, Alias("Fines.NotificationInserted")]
public sealed record NotificationInserted(DateTimeOffset OccurredAt, [property: Id(0)] string NotificationType, [property: Id(1)] string? LastSent = null) : FineEvent(OccurredAt);

/// <summary>The fine was raised because it was not paid in time.</summary>
/// <param name="OccurredAt">When it was.</param>
/// <param name="Amount">The new amount of the fine, not an increment.</param>
[EventType("penalty-added"), GenerateSerializer, Immutable, Alias("Fines.PenaltyAdded")]
public sealed record PenaltyAdded(DateTimeOffset OccurredAt, [property: Id(0)] decimal Amount) : FineEvent(OccurredAt);

/// <summary>Money came in.</summary>
/// <param name="OccurredAt">When it did.</param>
/// <param name="Amount">How much, 0 or more.</param>
[EventType("payment-received"), GenerateSerializer, Immutable, Alias("Fines.PaymentReceived")]
public sealed record PaymentReceived(DateTimeOffset OccurredAt, [property: Id(0)] decimal Amount) : FineEvent(OccurredAt);

/// <summary>The date of an appeal to the prefecture was entered.</summary>
/// <param name="OccurredAt">When it was.</param>
[EventType("prefecture-appeal-dated"), GenerateSerializer, Immutable, Alias("Fines.PrefectureAppealDated")]
public sealed record PrefectureAppealDated(DateTimeOffset OccurredAt) : FineEvent(OccurredAt);

/// <summary>The appeal was sent to the prefecture.</summary>
/// <param name="OccurredAt">When it was.</param>
/// <param name="Dismissal">The code of its outcome.</param>
[EventType("prefecture-appeal-sent"), GenerateSerializer, Immutable, Alias("Fines.PrefectureAppealSent")]
public sealed record PrefectureAppealSent(DateTimeOffset OccurredAt, [property: Id(0)] string Dismissal) : FineEvent(OccurredAt);

/// <summary>The prefecture's result came in.</summary>
/// <param name="OccurredAt">When it did.</param>
[EventType("prefecture-result-received"), GenerateSerializer, Immutable, Alias("Fines.PrefectureResultReceived")]
public sealed record PrefectureResultReceived(DateTimeOffset OccurredAt) : FineEvent(OccurredAt);

/// <summary>The offender was told the prefecture's result.</summary>
/// <param name="OccurredAt">When that was.</param>
[EventType("prefecture-result-notified"), GenerateSerializer, Immutable, Alias("Fines.PrefectureResultNotified")]
public sealed record PrefectureResultNotified(DateTimeOffset OccurredAt) : FineEvent(OccurredAt);

/// <summary>The offender appealed to a judge.</summary>
/// <param name="OccurredAt">When that was.</param>
/// <param name="Dismissal">The code of its outcome.</param>
/// <param name="Matricola">The register number of the officer, where it is known.</param>
/// <param name="Officer">Who entered it, where it is known.</param>
[EventType("judge-appealed"), GenerateSerializer, Immutable, Alias("Fines.JudgeAppealed")]
public sealed record JudgeAppealed(DateTimeOffset OccurredAt, [property: Id(0)] string Dismissal, [property: Id(1)] int? Matricola = null, [property: Id(2)] string? Officer = null) : FineEvent(OccurredAt);

/// <summary>The fine was handed over for credit collection.</summary>
/// <param name="OccurredAt">When it was.</param>
[EventType("credit-collection-begun"), GenerateSerializer, Immutable, Alias("Fines.CreditCollectionBegun")]
public sealed record CreditCollectionBegun(DateTimeOffset OccurredAt) : FineEvent(OccurredAt);

/// <summary>How events are written; generated at build time, because reflection would cost a third of an import.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull, Converters = [typeof(MoneyJsonConverter)], RespectNullableAnnotations = true, RespectRequiredConstructorParameters = true)]
[JsonSerializable(typeof(FineIssued))]
[JsonSerializable(typeof(FineSent))]
[JsonSerializable(typeof(NotificationInserted))]
[JsonSerializable(typeof(PenaltyAdded))]
[JsonSerializable(typeof(PaymentReceived))]
[JsonSerializable(typeof(PrefectureAppealDated))]
[JsonSerializable(typeof(PrefectureAppealSent))]
[JsonSerializable(typeof(PrefectureResultReceived))]
[JsonSerializable(typeof(PrefectureResultNotified))]
[JsonSerializable(typeof(JudgeAppealed))]
[JsonSerializable(typeof(CreditCollectionBegun))]
internal sealed partial class FineEventJson : JsonSerializerContext;

/// <summary>The event types of the example, by name and version.</summary>
public static class FineEventTypes
{
    /// <summary>All of them. Version 1 of <c>fine-issued</c> had its amount as a JSON number and no dismissal.</summary>
    public static EventTypeMap Map { get; } = new EventTypeMap.Builder()
        .AddFamily<FineEvent>(FineEventJson.Default.Options)
        .AddSessionEvents()
        .AddOperationEvents()
        .Upcast("fine-issued", 1, json =>
        {
            json["dismissal"] ??= "NIL";
            return json;
        })
        .Build();
}
