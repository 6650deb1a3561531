namespace Fines;

/// <summary>What may be asked of a fine.</summary>
/// <param name="OccurredAt">When it happened in the city, in a year from 1900 to 2200.</param>
[GenerateSerializer, Immutable, Alias("Fines.FineCommand")]
public abstract record FineCommand([property: Id(0)] DateTimeOffset OccurredAt);

/// <summary>Make out a fine.</summary>
/// <param name="OccurredAt">When it was.</param>
/// <param name="Amount">What it costs: 0 to 9,999,999.99, in cents.</param>
/// <param name="Article">The article of the traffic code, from 1.</param>
/// <param name="Points">The points taken from the driving licence, from 0.</param>
/// <param name="VehicleClass">One upper-case letter A to Z.</param>
/// <param name="Officer">Who makes it out.</param>
/// <param name="Dismissal">The city's code; NIL: not dismissed.</param>
[GenerateSerializer, Immutable, Alias("Fines.IssueFine")]
public sealed record IssueFine(
    DateTimeOffset OccurredAt,
    [property: Id(0)] decimal Amount,
    [property: Id(1)] int Article,
    [property: Id(2)] int Points,
    [property: Id(3)] string VehicleClass,
    [property: Id(4)] string Officer,
    [property: Id(5)] string Dismissal) : FineCommand(OccurredAt);

/// <summary>Send the fine by post.</summary>
/// <param name="OccurredAt">When it was.</param>
/// <param name="Expense">The postal cost.</param>
[GenerateSerializer, Immutable, Alias("Fines.SendFine")]
public sealed record SendFine(DateTimeOffset OccurredAt, [property: Id(0)] decimal Expense) : FineCommand(OccurredAt);

/// <summary>Enter that the offender was notified.</summary>
/// <param name="OccurredAt">When that was.</param>
/// <param name="NotificationType">P or C.</param>
/// <param name="LastSent">Where it was sent last, if known.</param>
[GenerateSerializer, Immutable, Alias("Fines.InsertNotification")]
public sealed record InsertNotification(DateTimeOffset OccurredAt, [property: Id(0)] string NotificationType, [property: Id(1)] string? LastSent) : FineCommand(OccurredAt);

/// <summary>Raise the fine because it was not paid in time.</summary>
/// <param name="OccurredAt">When it was.</param>
/// <param name="Amount">The new amount of the fine.</param>
[GenerateSerializer, Immutable, Alias("Fines.AddPenalty")]
public sealed record AddPenalty(DateTimeOffset OccurredAt, [property: Id(0)] decimal Amount) : FineCommand(OccurredAt);

/// <summary>Enter a payment.</summary>
/// <param name="OccurredAt">When it came in.</param>
/// <param name="Amount">How much.</param>
[GenerateSerializer, Immutable, Alias("Fines.RegisterPayment")]
public sealed record RegisterPayment(DateTimeOffset OccurredAt, [property: Id(0)] decimal Amount) : FineCommand(OccurredAt);

/// <summary>Enter the date of an appeal to the prefecture.</summary>
/// <param name="OccurredAt">When it was.</param>
[GenerateSerializer, Immutable, Alias("Fines.DatePrefectureAppeal")]
public sealed record DatePrefectureAppeal(DateTimeOffset OccurredAt) : FineCommand(OccurredAt);

/// <summary>Send the appeal to the prefecture.</summary>
/// <param name="OccurredAt">When it was.</param>
/// <param name="Dismissal">The code of its outcome.</param>
[GenerateSerializer, Immutable, Alias("Fines.SendPrefectureAppeal")]
public sealed record SendPrefectureAppeal(DateTimeOffset OccurredAt, [property: Id(0)] string Dismissal) : FineCommand(OccurredAt);

/// <summary>Enter that the prefecture's result came in.</summary>
/// <param name="OccurredAt">When it did.</param>
[GenerateSerializer, Immutable, Alias("Fines.ReceivePrefectureResult")]
public sealed record ReceivePrefectureResult(DateTimeOffset OccurredAt) : FineCommand(OccurredAt);

/// <summary>Enter that the offender was told the prefecture's result.</summary>
/// <param name="OccurredAt">When that was.</param>
[GenerateSerializer, Immutable, Alias("Fines.NotifyPrefectureResult")]
public sealed record NotifyPrefectureResult(DateTimeOffset OccurredAt) : FineCommand(OccurredAt);

/// <summary>Enter an appeal to a judge.</summary>
/// <param name="OccurredAt">When that was.</param>
/// <param name="Dismissal">The code of its outcome.</param>
/// <param name="Matricola">The register number of the officer, if known.</param>
/// <param name="Officer">Who enters it, if known.</param>
[GenerateSerializer, Immutable, Alias("Fines.AppealToJudge")]
public sealed record AppealToJudge(DateTimeOffset OccurredAt, [property: Id(0)] string Dismissal, [property: Id(1)] int? Matricola, [property: Id(2)] string? Officer) : FineCommand(OccurredAt);

/// <summary>Hand the fine over for credit collection.</summary>
/// <param name="OccurredAt">When it was.</param>
[GenerateSerializer, Immutable, Alias("Fines.SendToCreditCollection")]
public sealed record SendToCreditCollection(DateTimeOffset OccurredAt) : FineCommand(OccurredAt);
