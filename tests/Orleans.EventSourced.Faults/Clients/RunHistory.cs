using System.Collections.Concurrent;
using System.Text.Json;
using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Testing.Faults;
using StreamId = Orleans.EventSourced.Core.Log.StreamId;

namespace Orleans.EventSourced.Faults.Clients;

/// <summary>
/// What clients did and were told, written to a file before and after each operation, outside the system that is tested. Thread-safe.
/// </summary>
internal sealed class RunHistory(string file) : IAsyncDisposable
{
    private readonly StreamWriter _lines = new(file) { AutoFlush = true };
    private readonly ConcurrentQueue<Operation> _operations = [];
    private readonly ConcurrentQueue<string> _violations = [];
    private int _reads;
    private int _readsNotAnswered;
    private int _badInputs;

    public IReadOnlyCollection<Operation> Operations => _operations;

    /// <summary>What clients saw that must not be.</summary>
    public IReadOnlyCollection<string> Violations => _violations;

    public int Reads => _reads;

    public int ReadsNotAnswered => _readsNotAnswered;

    public int BadInputs => _badInputs;

    /// <summary>Every try and what was told of it, for the checker.</summary>
    public ClientHistory Lines { get; } = new();

    /// <summary>A state that was served: stream, version, and the state as JSON.</summary>
    public ConcurrentQueue<(string Stream, int Version, string State)> Served { get; } = [];

    public void Begin(Operation operation)
    {
        operation.Began = TimeProvider.System.GetTimestamp();
        _operations.Enqueue(operation);
        Write("begin", operation);
    }

    public void End(Operation operation)
    {
        operation.Ended = TimeProvider.System.GetTimestamp();
        Write("end", operation);
    }

    public void Invoke(Operation operation) => Lines.Invoke(Name(operation), new CommandId(operation.Command), new StreamId(operation.Stream), operation.Content);

    /// <summary>What an event of a client's command says: its type, and its money if it has any.</summary>
    public static string Describe(RecordedEvent e)
    {
        var data = JsonElement.Parse(e.Data.Span);
        return data.TryGetProperty("amount", out var amount) || data.TryGetProperty("expense", out amount) ? $"{e.Type} {amount.GetString()}" : e.Type;
    }

    /// <summary>What became of a try.</summary>
    public void Told(Operation operation, TryResult result)
    {
        var (client, command, stream) = (Name(operation), new CommandId(operation.Command), new StreamId(operation.Stream));
        switch (result)
        {
            case TryResult.Accepted:
                Lines.Ok(client, command, stream, new StreamVersion(operation.Version), new LogPosition(operation.Position), events: 1);
                break;
            case TryResult.Refused:
                Lines.Refused(client, command, stream, operation.Code);
                break;
            case TryResult.NotWritten:
                Lines.Fail(client, command, stream, operation.Code);
                break;
            default:
                Lines.Unknown(client, command, stream, operation.Code);
                break;
        }
    }

    public void Read(bool isAnswered)
    {
        Interlocked.Increment(ref _reads);
        Interlocked.Add(ref _readsNotAnswered, isAnswered ? 0 : 1);
    }

    public void BadInput() => Interlocked.Increment(ref _badInputs);

    public void Violation(string what)
    {
        _violations.Enqueue(what);
        lock (_lines)
        {
            _lines.WriteLine(JsonSerializer.Serialize(new { violation = what }));
        }
    }

    public ValueTask DisposeAsync() => _lines.DisposeAsync();

    /// <summary>The name of a client in the <see cref="Lines"/>.</summary>
    public static string Name(int client) => $"client {client}";

    private static string Name(Operation operation) => Name(operation.Client);

    private void Write(string phase, Operation operation)
    {
        var line = JsonSerializer.Serialize(new { phase, at = TimeProvider.System.GetUtcNow(), operation });
        lock (_lines)
        {
            _lines.WriteLine(line);
        }
    }
}
