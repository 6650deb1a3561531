using System.Text.Json;

namespace Fines.Host;

/// <summary>Bodies of the commands' requests. Amounts are JSON numbers or strings; occurredAt is now when it is left out.</summary>
internal sealed record IssueFineRequest(string FineId, decimal Amount, int Article, int Points, string VehicleClass, string Officer, string Dismissal = "NIL", DateTimeOffset? OccurredAt = null);

internal sealed record SendFineRequest(decimal Expense, DateTimeOffset? OccurredAt = null);

internal sealed record NotificationRequest(string NotificationType, string? LastSent = null, DateTimeOffset? OccurredAt = null);

internal sealed record AmountRequest(decimal Amount, DateTimeOffset? OccurredAt = null);

internal sealed record DismissalRequest(string Dismissal = "NIL", DateTimeOffset? OccurredAt = null);

internal sealed record JudgeAppealRequest(string Dismissal = "NIL", int? Matricola = null, string? Officer = null, DateTimeOffset? OccurredAt = null);

internal sealed record MomentRequest(DateTimeOffset? OccurredAt = null);

/// <summary>The answer to <c>GET /fines/{id}</c>; amounts are strings with two decimals.</summary>
internal sealed record FineAnswer(string FineId, int Version, long Position, decimal Due, decimal Paid, decimal Outstanding, bool Settled, Fine State);

/// <summary>One event as <c>GET /fines/{id}/events</c> shows it, payload and metadata as they are stored.</summary>
internal sealed record FineEventAnswer(int Version, long Position, Guid Id, string Type, short Schema, DateTimeOffset RecordedAt, JsonElement Data, JsonElement Metadata);
