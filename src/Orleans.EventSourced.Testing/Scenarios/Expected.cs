using System.Globalization;
using System.Text;

namespace Orleans.EventSourced.Testing.Scenarios;

/// <summary>Compares what happened with what a test expects, and says where they part.</summary>
internal static class Expected
{
    private const int MaxShown = 50;

    /// <param name="what">What was done, for the message.</param>
    /// <param name="given">What had happened before, for the message.</param>
    /// <param name="expected">What should have happened.</param>
    /// <param name="actual">What happened.</param>
    /// <exception cref="ExpectationException">They differ.</exception>
    public static void Same(string what, IReadOnlyList<ShownEvent> given, IReadOnlyList<ShownEvent> expected, IReadOnlyList<ShownEvent> actual)
    {
        var at = expected.Zip(actual).TakeWhile(pair => pair.First.IsSame(pair.Second)).Count();
        if (at == expected.Count && at == actual.Count)
        {
            return;
        }

        var difference = at == expected.Count ? $"event {at + 1} was not expected"
            : at == actual.Count ? $"event {at + 1} is missing"
            : expected[at].Name != actual[at].Name ? $"event {at + 1} is {actual[at].Name}; expected is {expected[at].Name}"
            : $"event {at + 1}, {ShownEvent.Difference("$", expected[at].Json, actual[at].Json)}";
        throw new ExpectationException($"{what} did not make the expected events happen: {difference}.{List("Expected", expected, at)}{List("Actual", actual, at)}{List("Given", given, -1)}");
    }

    /// <exception cref="ExpectationException">Something happened.</exception>
    public static void Nothing(string what, IReadOnlyList<ShownEvent> given, IReadOnlyList<ShownEvent> actual)
    {
        if (actual.Count > 0)
        {
            throw new ExpectationException($"{what} should make nothing happen, and made {actual.Count} {(actual.Count == 1 ? "event" : "events")}.{List("Actual", actual, -1)}{List("Given", given, -1)}");
        }
    }

    /// <exception cref="ExpectationException">It was not refused, or with another code.</exception>
    public static void Rejected(string what, IReadOnlyList<ShownEvent> given, string code, string? actualCode, string? reason, IReadOnlyList<ShownEvent> actual)
    {
        if (actualCode is null)
        {
            throw new ExpectationException($"{what} should be rejected as '{code}', and was accepted.{List("Actual", actual, -1)}{List("Given", given, -1)}");
        }

        if (actualCode != code)
        {
            throw new ExpectationException($"{what} should be rejected as '{code}', and was as '{actualCode}': {reason}{List("Given", given, -1)}");
        }

        Nothing(what, given, actual);
    }

    /// <exception cref="ExpectationException">They differ.</exception>
    public static void SameState<TState>(string what, IReadOnlyList<ShownEvent> given, TState expected, TState actual)
        where TState : class
    {
        var (wanted, seen) = (ShownEvent.Of(expected), ShownEvent.Of(actual));
        if (!Equals(expected, actual) && !wanted.IsSame(seen))
        {
            throw new ExpectationException(
                $"{what} did not lead to the expected state: {ShownEvent.Difference("$", wanted.Json, seen.Json) ?? $"it is {seen.Name}; expected is {wanted.Name}"}.\nExpected:\n    {wanted}\nActual:\n    {seen}{List("Given", given, -1)}");
        }
    }

    private static string List(string title, IReadOnlyList<ShownEvent> events, int marked)
    {
        var text = new StringBuilder().Append('\n').Append(title).Append(':');
        if (events.Count == 0)
        {
            return text.Append(" nothing").ToString();
        }

        // Of many, those around the difference.
        var first = Math.Clamp(marked - (MaxShown / 2), 0, Math.Max(0, events.Count - MaxShown));
        Left(text, first);
        foreach (var (i, e) in events.Index().Skip(first).Take(MaxShown))
        {
            text.Append(CultureInfo.InvariantCulture, $"\n{(i == marked ? "  > " : "    ")}{i + 1}  {e}");
        }

        Left(text, events.Count - first - MaxShown);
        return text.ToString();
    }

    private static void Left(StringBuilder text, int events)
    {
        if (events > 0)
        {
            text.Append(CultureInfo.InvariantCulture, $"\n    ({events} more)");
        }
    }
}
