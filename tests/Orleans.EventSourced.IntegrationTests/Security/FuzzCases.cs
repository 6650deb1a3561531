namespace Orleans.EventSourced.IntegrationTests.Security;

/// <summary>For each endpoint of the node a valid request, which is spoilt a thousand ways.</summary>
internal static class FuzzCases
{
    private const string When = "2026-01-05T09:00:00Z";

    private static readonly string[] Fines = ["F1", "F2", "F3"];
    private static readonly string[] Views = ["fine_summary", "open_cases", "article_totals", "officer_month", "es_trace"];
    private static readonly string[] Branches = ["b0", "b1", "b2"];

    /// <summary>By method and pattern.</summary>
    public static IReadOnlyDictionary<string, Func<Random, FuzzRequest>> All { get; } = new Dictionary<string, Func<Random, FuzzRequest>>(StringComparer.Ordinal)
    {
        ["GET /alive"] = _ => Get("/alive"),
        ["GET /health"] = _ => Get("/health"),
        ["GET /openapi/v1.json"] = _ => Get("/openapi/v1.json"),
        ["POST /fines"] = r => Post("/fines", [], $$"""{"fineId":"N{{r.Next(50)}}","amount":"35.00","article":157,"points":2,"vehicleClass":"A","officer":"561","dismissal":"NIL","occurredAt":"{{When}}"}"""),
        ["GET /fines/{id}"] = r => Get("/fines/{}", [Of(r, Fines)], ("asOf", "v1"), ("after", "1")),
        ["GET /fines/{id}/events"] = r => Get("/fines/{}/events", [Of(r, Fines)], ("after", "0"), ("limit", "10")),
        ["POST /fines/{id}/send"] = r => Post("/fines/{}/send", [Of(r, Fines)], $$"""{"expense":"10.00","occurredAt":"{{When}}"}"""),
        ["POST /fines/{id}/notification"] = r => Post("/fines/{}/notification", [Of(r, Fines)], $$"""{"notificationType":"P","lastSent":"P","occurredAt":"{{When}}"}"""),
        ["POST /fines/{id}/penalty"] = r => Post("/fines/{}/penalty", [Of(r, Fines)], $$"""{"amount":"70.00","occurredAt":"{{When}}"}"""),
        ["POST /fines/{id}/payments"] = r => Post("/fines/{}/payments", [Of(r, Fines)], $$"""{"amount":1.5,"occurredAt":"{{When}}"}"""),
        ["POST /fines/{id}/prefecture-appeals"] = r => Post("/fines/{}/prefecture-appeals", [Of(r, Fines)], $$"""{"occurredAt":"{{When}}"}"""),
        ["POST /fines/{id}/prefecture-appeals/send"] = r => Post("/fines/{}/prefecture-appeals/send", [Of(r, Fines)], $$"""{"dismissal":"NIL","occurredAt":"{{When}}"}"""),
        ["POST /fines/{id}/prefecture-appeals/result"] = r => Post("/fines/{}/prefecture-appeals/result", [Of(r, Fines)], $$"""{"occurredAt":"{{When}}"}"""),
        ["POST /fines/{id}/prefecture-appeals/result/notification"] = r => Post("/fines/{}/prefecture-appeals/result/notification", [Of(r, Fines)], $$"""{"occurredAt":"{{When}}"}"""),
        ["POST /fines/{id}/judge-appeals"] = r => Post("/fines/{}/judge-appeals", [Of(r, Fines)], $$"""{"dismissal":"G","matricola":12,"officer":"561","occurredAt":"{{When}}"}"""),
        ["POST /fines/{id}/credit-collection"] = r => Post("/fines/{}/credit-collection", [Of(r, Fines)], $$"""{"occurredAt":"{{When}}"}"""),
        ["GET /views/{name}"] = r => Get("/views/{}", [Of(r, Views)], ("limit", "5"), ("sort", "-outstanding"), ("outstanding.ge", "1.00"), ("after", "1"), ("wait", "0")),
        ["GET /views/{name}/{**key}"] = r => Get("/views/{}/{}", [Of(r, Views), Of(r, Fines)], ("session", "tab")),
        ["GET /sessions/{session}/mutations"] = _ => Get("/sessions/{}/mutations", ["tab"], ("limit", "5")),
        ["GET /sessions/{session}/changes"] = _ => Get("/sessions/{}/changes", ["tab"], ("since", "0")),
        ["GET /sessions/{session}/mutations/{mutation:guid}"] = _ => Get("/sessions/{}/mutations/{}", ["tab", "68c2c26c-abb4-8917-807e-ce8a31b2b0a3"], ("view", "fine_summary")),
        ["GET /_es/state/{type}/{**key}"] = r => Get("/_es/state/{}/{}", ["fine", Of(r, Fines)], ("at", "v1")),
        ["GET /_es/diff/{type}/{**key}"] = r => Get("/_es/diff/{}/{}", ["fine", Of(r, Fines)], ("from", "v0"), ("to", "v1")),
        ["GET /_es/blame/{type}/{**key}"] = r => Get("/_es/blame/{}/{}", ["fine", Of(r, Fines)], ("at", "v1")),
        ["GET /_es/past/{view}"] = r => Get("/_es/past/{}", [Of(r, Views)], ("at", "2"), ("limit", "5")),
        ["GET /_es/past/{view}/{**key}"] = r => Get("/_es/past/{}/{}", [Of(r, Views), Of(r, Fines)], ("at", "2")),
        ["GET /_es/totals/{view}"] = r => Get("/_es/totals/{}", [Of(r, Views)], ("at", "2")),
        ["GET /_es/operations/{**id}"] = r => Get("/_es/operations/{}/{}", [Of(r, ["past", "read", "branch"]), Of(r, ["b0/fine_summary", "fine_summary@2", "state/fine/F1", "x"])]),
        ["GET /_es/what-ifs"] = _ => Get("/_es/what-ifs"),
        ["GET /_es/branches"] = _ => Get("/_es/branches"),
        ["POST /_es/branches"] = r => Post("/_es/branches", [], $$"""{"id":"{{Of(r, Branches)}}","reason":"what if","base":"2","edits":[{"op":"drop","stream":"fine/F1","version":1},{"op":"replace","stream":"fine/F2","version":1,"type":"payment-received","data":{"amount":"1.00","occurredAt":"{{When}}"} },{"op":"apply","function":"milder-penalty","parameters":{"factor":1.5} }],"rules":[],"minutes":5}"""),
        ["GET /_es/branches/{id}"] = r => Get("/_es/branches/{}", [Of(r, Branches)]),
        ["POST /_es/branches/{id}/edits"] = r => Post("/_es/branches/{}/edits", [Of(r, Branches)], """[{"op":"drop","stream":"fine/F1","version":1},{"op":"insert","stream":"fine/F1","version":1,"type":"payment-received","data":{"amount":"1.00","occurredAt":"2026-01-06T09:00:00Z"}}]"""),
        ["DELETE /_es/branches/{id}"] = r => new("DELETE", "/_es/branches/{}", [Of(r, Branches)], [("reason", "over")], null),
        ["GET /_es/branches/{id}/state/{type}/{**key}"] = r => Get("/_es/branches/{}/state/{}/{}", [Of(r, Branches), "fine", Of(r, Fines)]),
        ["GET /_es/branches/{id}/views/{view}"] = r => Get("/_es/branches/{}/views/{}", [Of(r, Branches), Of(r, Views)], ("limit", "5")),
        ["GET /_es/branches/{id}/views/{view}/{**key}"] = r => Get("/_es/branches/{}/views/{}/{}", [Of(r, Branches), Of(r, Views), Of(r, Fines)]),
        ["GET /_es/branches/{id}/diff/{view}"] = r => Get("/_es/branches/{}/diff/{}", [Of(r, Branches), Of(r, Views)]),
        ["GET /_es/audit"] = _ => Get("/_es/audit", [], ("target", "branch:b1"), ("before", "100"), ("limit", "5")),
        ["GET /_es/trace/{**id}"] = _ => Get("/_es/trace/{}", ["case-7"]),
    };

    private static FuzzRequest Get(string path, string[]? values = null, params (string Name, string Value)[] query) => new("GET", path, values ?? [], query, null);

    private static FuzzRequest Post(string path, string[] values, string body) => new("POST", path, values, [], body);

    private static string Of(Random random, string[] all) => all[random.Next(all.Length)];
}
