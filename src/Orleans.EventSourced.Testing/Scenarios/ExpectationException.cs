namespace Orleans.EventSourced.Testing.Scenarios;

/// <summary>What a test expects is not so. Its message shows what was expected and what was seen; test frameworks report it as a failed test.</summary>
/// <param name="message">What is not so.</param>
/// <param name="inner">What kept it from being so; null: nothing was thrown.</param>
public sealed class ExpectationException(string message, Exception? inner = null) : Exception(message, inner), Xunit.Sdk.IAssertionException;
