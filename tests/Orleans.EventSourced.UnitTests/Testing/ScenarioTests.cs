using Fines;
using Orleans.EventSourced.Core.Deciding;
using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Testing.Scenarios;
using Xunit;

namespace Orleans.EventSourced.UnitTests.Testing;

/// <summary>Given, when, then on pure deciders.</summary>
public sealed class ScenarioTests
{
    private static readonly DateTimeOffset Day = new(2026, 3, 1, 0, 0, 0, TimeSpan.Zero);
    private static readonly Scenario<Fine, FineCommand, FineEvent> AFine = Scenario.Of<Fine, FineCommand, FineEvent>();
    private static readonly Scenario<Cart, CartCommand, CartEvent> ACart = Scenario.Of<Cart, CartCommand, CartEvent>();

    [Fact]
    public void a_command_is_decided_on_what_was_given() => AFine
        .Given(new FineIssued(Day, 35, 157, 0, "A", "561", "NIL"))
        .When(new RegisterPayment(Day.AddDays(1), 35))
        .Then(new PaymentReceived(Day.AddDays(1), 35.00m))
        .ThenState(fine => Assert.True(fine.Settled));

    [Fact]
    public void a_scenario_goes_on_from_its_outcome_and_is_itself_unchanged()
    {
        var cart = ACart.Given(new Put("apple", ["red"]));
        cart.When(new PutAll("pear")).Then(new Put("pear", [])).After
            .When(new PutAll("pear")).ThenNothing().ThenState(new Cart(["apple", "pear"]));
        Assert.Equal(["apple"], cart.State.Things);
    }

    [Fact]
    public void a_refusal_has_its_code()
    {
        ACart.When(new PutAll("")).ThenRejected("no-name");
        Assert.Contains("should be rejected as 'other', and was as 'no-name': A thing has a name.", Message(() => ACart.When(new PutAll("")).ThenRejected("other")), StringComparison.Ordinal);
        Assert.Contains("should be rejected as 'no-name', and was accepted.\nActual:\n    1  put {\"thing\":\"a\"", Message(() => ACart.When(new PutAll("a")).ThenRejected("no-name")), StringComparison.Ordinal);
        Assert.Contains("was rejected as 'no-name' (A thing has a name.), and should make events happen", Message(() => ACart.When(new PutAll("")).Then(new Put("", []))), StringComparison.Ordinal);
        Assert.Contains("and should be accepted", Message(() => ACart.When(new PutAll("")).ThenNothing()), StringComparison.Ordinal);
        Assert.Contains("and made 1 event", Message(() => ACart.When(new PutAll("a")).ThenNothing()), StringComparison.Ordinal);
    }

    [Fact]
    public void lists_within_events_are_compared_by_what_they_hold() => ACart.When(new PutAll("apple", "red", "round")).Then(new Put("apple", new List<string> { "red", "round" }));

    [Fact]
    public void a_difference_is_shown_with_both_sides_and_its_place()
    {
        var cart = ACart.Given(new Put("pear", []));
        Assert.Equal(
            """
            PutAll {"thing":"apple","tags":["red","round"]} did not make the expected events happen: event 1, $.tags[1] is "round"; expected is "flat".
            Expected:
              > 1  put {"thing":"apple","tags":["red","flat"]}
            Actual:
              > 1  put {"thing":"apple","tags":["red","round"]}
            Given:
                1  put {"thing":"pear","tags":[]}
            """,
            Message(() => cart.When(new PutAll("apple", "red", "round")).Then(new Put("apple", ["red", "flat"]))));
    }

    [Theory]
    [InlineData("event 2 is missing", "apple", "apple", "pear")]
    [InlineData("event 1, $.thing is \"apple\"; expected is \"pear\"", "apple", "pear")]
    [InlineData("event 1 was not expected", "apple")]
    public void what_is_missing_or_too_much_is_named(string difference, string put, params string[] expected) =>
        Assert.Contains(difference, Message(() => ACart.When(new PutAll(put)).Then([.. expected.Select(e => new Put(e, []))])), StringComparison.Ordinal);

    [Fact]
    public void another_event_of_the_same_content_is_another() =>
        Assert.Contains("event 1 is put; expected is taken", Message(() => ACart.When(new PutAll("a")).Then(new Taken("a", []))), StringComparison.Ordinal);

    [Fact]
    public void a_state_that_differs_is_shown() =>
        Assert.Contains("did not lead to the expected state: $.things has 1 elements; expected are 2", Message(() => ACart.When(new PutAll("a")).ThenState(new Cart(["a", "b"]))), StringComparison.Ordinal);

    [Fact]
    public void of_a_long_list_what_is_around_the_difference_is_shown()
    {
        var given = ACart.Given([.. Enumerable.Range(0, 1_000).Select(i => new Put($"t{i}", []))]);
        var message = Message(() => given.When(new PutAll("t")).ThenNothing());
        Assert.Contains("(950 more)", message, StringComparison.Ordinal);
        Assert.True(message.Length < 5_000, $"{message.Length} characters");
    }

    [Fact]
    public void a_decision_that_is_not_pure_is_found_out()
    {
        var count = 0;
        Cart.Reads = () => (++count).ToString(System.Globalization.CultureInfo.InvariantCulture);
        Assert.Contains("was decided twice in the same state, and differently", Message(() => ACart.When(new PutAll("impure"))), StringComparison.Ordinal);
    }

    private static string Message(Action expectation) => Assert.Throws<ExpectationException>(expectation).Message;

    public sealed record PutAll(string Thing, params string[] Tags) : CartCommand;

    [EventType("put")]
    public sealed record Put(string Thing, IReadOnlyList<string> Tags) : CartEvent;

    [EventType("taken")]
    public sealed record Taken(string Thing, IReadOnlyList<string> Tags) : CartEvent;

    public abstract record CartCommand;

    public abstract record CartEvent;

    /// <summary>Puts a thing into itself, unless it has it.</summary>
    public sealed record Cart(IReadOnlyList<string> Things) : IDecider<Cart, CartCommand, CartEvent>
    {
        /// <summary>What a decision must not read.</summary>
        public static Func<string> Reads { get; set; } = () => "";

        public static Cart Initial { get; } = new([]);

        public static Decision<CartEvent> Decide(Cart state, CartCommand command) => command switch
        {
            PutAll { Thing: "" } => Core.Deciding.Decide.Refuse<CartEvent>("no-name", "A thing has a name."),
            PutAll { Thing: "impure" } => Core.Deciding.Decide.Accept<CartEvent>(new Put(Reads(), [])),
            PutAll put when state.Things.Contains(put.Thing) => Core.Deciding.Decide.Accept<CartEvent>(),
            PutAll put => Core.Deciding.Decide.Accept<CartEvent>(new Put(put.Thing, put.Tags)),
            _ => throw new ArgumentOutOfRangeException(nameof(command)),
        };

        public static Cart Evolve(Cart state, CartEvent @event) => @event is Put put ? new Cart([.. state.Things, put.Thing]) : state;
    }
}
