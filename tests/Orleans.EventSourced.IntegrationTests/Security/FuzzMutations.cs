using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Orleans.EventSourced.IntegrationTests.Security;

/// <summary>A valid request in its parts, which can be spoilt one by one. In the path, <c>{}</c> stands for a value.</summary>
/// <param name="Method">The method.</param>
/// <param name="Path">The path, its values as <c>{}</c>.</param>
/// <param name="Values">Those values, unescaped.</param>
/// <param name="Query">Parameters.</param>
/// <param name="Body">JSON; null: none.</param>
public sealed record FuzzRequest(string Method, string Path, string[] Values, (string Name, string Value)[] Query, string? Body);

/// <summary>Spoils valid requests, by a generator of random numbers that can be made again.</summary>
public sealed class FuzzMutations(Random random)
{
    private static readonly string[] OddTexts =
    [
        "", " ", "\0", "a\0b", "\ud800", "\udfff\ud800", "~", "~x", "/", "..", "../..", ".", "*", "%", "%zz", "%00", "%2F", "\u0001", "\u007f", "\u0085", "\u2028", "\ufeff", "\uffff", "é", "e\u0301", "😀", "'", "\"", "'; drop table events; --", "<script>", "{{7*7}}", "null", "true", "NaN", "Infinity",
        "-1", "0", "1", "2147483648", "-2147483649", "9223372036854775807", "9223372036854775808", "1e400", "0x10", "1_000", "٣", "1.5", "-0", "+1", "v1", "v0", "v-1", "v2147483648", "v99", "business:", "business:x", "business:0001-01-01T00:00:00Z", "business:9999-12-31T23:59:59.9999999Z",
        "0000-00-00", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59.9999999-14:00", "2020-02-30T00:00:00Z", "2020-01-01T24:00:00Z", "2020-01-01T00:00:00+99:99", "2020-01-01", "+275760-09-13T00:00:00Z", "2026-01-05T09:00:00", "00000000-0000-0000-0000-000000000000", "es_trace", "fine_summary", "fine/F1", "fine", "es-session/tab", "b0", "F1", "tab",
    ];

    private static readonly string[] OddPathValues = ["%00", "%FF", "%C0%80", "%ED%A0%80", "%2F", "%2e%2e", "%252F", "%", "%zz", "%0d%0aX:%20y", "", ".", "..", "//", "\\", "a b", "?", "#", ";", "~", "%7E", "{}", "*", ":", "@"];

    private static readonly string[] Headers =
    [
        "Idempotency-Key", "If-Match", "If-None-Match", "X-Correlation-Id", "X-Reason", "ES-After", "ES-Session", "Prefer", "Last-Event-ID", "Accept", "Content-Type", "Authorization", "ES-Operate", "traceparent", "tracestate", "Origin", "Range", "Cookie", "Accept-Encoding", "Content-Encoding",
        "X-HTTP-Method-Override", "X-Forwarded-For", "X-Forwarded-Host", "Accept-Language", "Connection", "X-Odd",
    ];

    private static readonly string[] HeaderValues =
    [
        "respond-async", "text/event-stream", "application/json", "text/plain", "application/json; charset=utf-16", "application/json;;;", "multipart/form-data", "*/*;q=x", "\"1\"", "\"99999999999\"", "W/\"1\"", "\"-1\"", "*", "\"1\", \"2\"", "00-0-0-0", "Bearer", "Bearer x", "Basic eDp5", "gzip", "bytes=0-1", "null", "keep-alive",
    ];

    private static readonly string[] Parameters = ["after", "wait", "session", "since", "limit", "cursor", "sort", "asOf", "at", "from", "to", "view", "branch", "outstanding", "outstanding.lt", "outstanding.xx", "amount.ge", "key", "__proto__", "a[]", ""];

    /// <summary>One to three faults, and now and then none.</summary>
    public RawRequest Spoil(FuzzRequest valid, string token)
    {
        var values = valid.Values.Select(Escaped).ToArray();
        var query = valid.Query.Select(p => (Name: Escaped(p.Name), Value: Escaped(p.Value))).ToList();
        var headers = new List<(string Name, string Value)> { ("Authorization", $"Bearer {token}"), ("Content-Type", "application/json"), ("ES-Operate", "1") };
        var (method, body) = (valid.Method, valid.Body is null ? [] : Encoding.UTF8.GetBytes(valid.Body));
        for (var faults = random.Next(20) == 0 ? 0 : random.Next(1, 4); faults > 0; faults--)
        {
            switch (random.Next(valid.Body is null ? 5 : 9))
            {
                case 0 when values.Length > 0:
                    values[random.Next(values.Length)] = PathValue();
                    break;
                case 0 or 1:
                    query.Add((Escaped(random.Next(4) == 0 ? OddText() : Of(Parameters)), QueryValue()));
                    break;
                case 2 when query.Count > 0:
                    var at = random.Next(query.Count);
                    query[at] = (query[at].Name, QueryValue());
                    break;
                case 2 or 3:
                    SpoilHeader(headers);
                    break;
                case 4 when random.Next(8) == 0:
                    method = Of(["PUT", "PATCH", "OPTIONS", "TRACE", "get", "FOO", "POST", "DELETE"]);
                    break;
                case 4:
                    SpoilHeader(headers);
                    break;
                case 5:
                    body = SpoilBytes(body);
                    break;
                default:
                    body = SpoilJson(body);
                    break;
            }
        }

        var parts = valid.Path.Split("{}");
        var path = string.Concat(parts.Select((p, i) => i < values.Length ? p + values[i] : p));
        return new RawRequest(method, query.Count == 0 ? path : $"{path}?{string.Join('&', query.Select(p => $"{p.Name}={p.Value}"))}", headers, body);
    }

    /// <summary>Bytes with some of them changed, taken out, or doubled.</summary>
    public byte[] SpoilBytes(byte[] bytes)
    {
        if (bytes.Length == 0)
        {
            return [(byte)random.Next(256)];
        }

        var (at, length) = (random.Next(bytes.Length), random.Next(1, 1 + Math.Min(64, bytes.Length)));
        var rest = bytes[Math.Min(bytes.Length, at + length)..];
        switch (random.Next(7))
        {
            case 0:
                return bytes[..at];
            case 1:
                return [.. bytes[..at], .. rest];
            case 2:
                return [.. bytes, .. bytes];
            case 3:
                return [0xEF, 0xBB, 0xBF, .. bytes];
            case 4:
                return [.. bytes[..at], (byte)random.Next(256), 0xC0, 0x80, .. rest];
            default:
                byte[] changed = [.. bytes];
                changed[at] = random.Next(3) == 0 ? Of("{}[]\",:<>&;\0-0"u8.ToArray()) : (byte)random.Next(256);
                return changed;
        }
    }

    private byte[] SpoilJson(byte[] body)
    {
        try
        {
            return SpoilJson(JsonNode.Parse(body));
        }
        catch (Exception e) when (e is JsonException or ArgumentException or InvalidOperationException)
        {
            // An earlier fault has left no JSON, or text with half a character, which cannot be written again.
            return SpoilBytes(body);
        }
    }

    private byte[] SpoilJson(JsonNode? root)
    {
        // The places are marked by a number that no valid body has, so that what goes there can be text which is no JSON.
        const string Mark = "9182736455463728190";
        var places = new List<JsonNode>();
        Collect(root, places);
        var text = OddJson();
        if (places.Count == 0 || random.Next(12) == 0)
        {
            return Encoding.Latin1.GetBytes(text);
        }

        var place = Of(places);
        switch (place.Parent)
        {
            case JsonObject owner:
                var name = place.GetPropertyName();
                switch (random.Next(8))
                {
                    case 0:
                        owner.Remove(name);
                        break;
                    case 1:
                        owner[OddText().Replace("\ud800", "", StringComparison.Ordinal).Replace("\udfff", "", StringComparison.Ordinal) + "x"] = JsonNode.Parse(Mark);
                        break;
                    default:
                        owner[name] = JsonNode.Parse(Mark);
                        break;
                }

                break;
            case JsonArray list:
                list[place.GetElementIndex()] = JsonNode.Parse(Mark);
                break;
        }

        var spoilt = root!.ToJsonString().Replace(Mark, text, StringComparison.Ordinal);
        return random.Next(10) == 0 ? Encoding.UTF8.GetBytes(spoilt.Insert(1, "\"fineId\":\"twice\",")) : Encoding.Latin1.GetBytes(spoilt);
    }

    private static void Collect(JsonNode? node, List<JsonNode> places)
    {
        foreach (var child in node switch { JsonObject o => o.Select(p => p.Value), JsonArray a => a, _ => [] })
        {
            if (child is not null)
            {
                places.Add(child);
                Collect(child, places);
            }
        }
    }

    /// <summary>JSON, or nearly: Latin-1, so that bytes above 127 are no UTF-8.</summary>
    private string OddJson() => random.Next(14) switch
    {
        0 => "null",
        1 => Of(["true", "[]", "{}", "[null]", "{\"a\":1}", "\"\"", "1", "-1", "0"]),
        2 => Of(["1e400", "-1e-400", "99999999999999999999999999999999999999", "0.00000000000000000000000000001", "79228162514264337593543950335", "79228162514264337593543950336", "1e28", "2147483648", "1.005"]),
        3 => "\"\\ud800\"",
        4 => "\"\\u0000\"",
        5 => "\"\\udc00\\ud800x\"",
        6 => Deep(),
        7 => "\"\u00ff\u00c0\u0080\"",
        8 => random.Next(12) == 0 ? $"\"{new string('x', 1_000_000)}\"" : $"\"{new string('y', random.Next(3) == 0 ? 70_000 : 600)}\"",
        9 => Of(["NaN", "'a'", "undefined", "01", "+1", ".5", "1.", "\"\n\"", "\"\\x\"", "/*c*/1", "[1,]"]),
        _ => JsonSerializer.Serialize(OddText()),
    };

    private string Deep() => random.Next(2) == 0
        ? string.Concat(Enumerable.Repeat("[", random.Next(60, 5_000)))
        : random.Next(2) is 0 && random.Next(60, 3_000) is var depth ? new string('[', depth) + new string(']', depth) : string.Concat(Enumerable.Repeat("{\"a\":", 100)) + "1" + new string('}', 100);

    private void SpoilHeader(List<(string Name, string Value)> headers)
    {
        var name = Of(Headers);
        if (random.Next(3) > 0)
        {
            headers.RemoveAll(h => h.Name.Equals(name, StringComparison.OrdinalIgnoreCase));
        }

        if (random.Next(8) > 0)
        {
            headers.Add((name, HeaderValue()));
        }
    }

    /// <summary>Whatever fits into a line.</summary>
    private string HeaderValue() => random.Next(8) switch
    {
        0 => new string('h', random.Next(4) == 0 ? 17_000 : random.Next(200, 3_000)),
        1 => string.Concat(Enumerable.Range(0, random.Next(1, 20)).Select(_ => (char)random.Next(random.Next(10) == 0 ? 1 : 32, 256))).ReplaceLineEndings("").Replace("\r", "", StringComparison.Ordinal).Replace("\n", "", StringComparison.Ordinal),
        2 or 3 => Encoding.Latin1.GetString(Encoding.UTF8.GetBytes(OddText())).Replace("\0", random.Next(10) == 0 ? "\0" : "", StringComparison.Ordinal).Trim('\r', '\n'),
        _ => Of(HeaderValues),
    };

    private string PathValue() => random.Next(4) switch
    {
        0 => Of(OddPathValues),
        1 => new string('p', random.Next(4) == 0 ? 9_000 : random.Next(100, 1_200)),
        _ => Escaped(OddText()),
    };

    private string QueryValue() => random.Next(5) switch
    {
        0 => Of(OddPathValues).Replace("#", "%23", StringComparison.Ordinal),
        1 => new string('q', random.Next(4) == 0 ? 9_000 : random.Next(100, 7_000)),
        _ => Escaped(OddText()),
    };

    private string OddText() => random.Next(10) == 0 ? string.Concat(Enumerable.Range(0, random.Next(1, 12)).Select(_ => (char)random.Next(0x10000))) : Of(OddTexts);

    /// <summary>Percent-encoded; half a character by the bytes that it would have.</summary>
    private static string Escaped(string text) => string.Concat(text.SelectMany<char, string>(c =>
        char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.' ? [$"{c}"]
        : char.IsSurrogate(c) ? [$"%{0xE0 | (c >> 12):X2}", $"%{0x80 | ((c >> 6) & 0x3F):X2}", $"%{0x80 | (c & 0x3F):X2}"]
        : Encoding.UTF8.GetBytes([c]).Select(b => $"%{b:X2}")));

    private T Of<T>(IReadOnlyList<T> all) => all[random.Next(all.Count)];
}
