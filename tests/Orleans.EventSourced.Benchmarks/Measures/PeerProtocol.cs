namespace Orleans.EventSourced.Benchmarks.Measures;

/// <summary>
/// How a peer in a process of its own is driven: one request a line on its input (a verb, a space, parameters as JSON), one answer a line on its output (a round as JSON). It ends with its input. Nothing
/// else may be written to its output.
/// </summary>
internal static class PeerProtocol
{
    /// <summary>Asked once: answered when the peer takes loads.</summary>
    public const string Ready = "ready";

    /// <summary>Runs an <see cref="AppendLoad"/>.</summary>
    public const string Append = "append";

    /// <summary>Makes <see cref="ColdStreams"/>.</summary>
    public const string Fill = "fill";

    /// <summary>Wakes <see cref="ColdStreams"/>.</summary>
    public const string Activate = "activate";

    /// <summary>Answers requests until there are no more.</summary>
    /// <exception cref="InvalidOperationException">A request has a verb that is none.</exception>
    public static async Task ServeAsync(Func<AppendLoad, Task<Round>> append, Func<ColdStreams, Task> fill, Func<ColdStreams, Task<Round>> activate)
    {
        while (await Console.In.ReadLineAsync() is { } line)
        {
            var at = line.IndexOf(' ');
            var (verb, parameters) = (line[..at], line[(at + 1)..]);
            Console.WriteLine((await AnswerAsync(verb, parameters)).ToJson());
        }

        async Task<Round> AnswerAsync(string verb, string parameters)
        {
            switch (verb)
            {
                case Ready:
                    return Round.Of();
                case Append:
                    return await append(AppendLoad.Parse(parameters));
                case Fill:
                    await fill(ColdStreams.Parse(parameters));
                    return Round.Of();
                case Activate:
                    return await activate(ColdStreams.Parse(parameters));
                default:
                    throw new InvalidOperationException($"'{verb}' is no verb.");
            }
        }
    }
}
