namespace Orleans.EventSourced.Core.Log;

/// <summary>
/// What an append expects of its stream. It is checked against the log inside the transaction, so that two writers
/// that saw the same state cannot both win.
/// </summary>
public readonly record struct ExpectedVersion
{
    private readonly int _value;

    private ExpectedVersion(int value) => _value = value;

    /// <summary>The stream has no event yet. The same as <c>Exactly(0)</c>, and the default.</summary>
    public static ExpectedVersion NoStream => default;

    /// <summary>Whatever the stream holds: the events go behind it.</summary>
    public static ExpectedVersion Any => new(-1);

    /// <summary>Whether every version is accepted.</summary>
    public bool IsAny => _value < 0;

    /// <summary>The one version accepted.</summary>
    /// <exception cref="InvalidOperationException">This is <see cref="Any"/>.</exception>
    public StreamVersion Version => IsAny ? throw new InvalidOperationException("ExpectedVersion.Any names no version.") : new(_value);

    /// <summary>The stream's last event has this version.</summary>
    public static ExpectedVersion Exactly(StreamVersion version) => new(version.Value);

    /// <summary>Whether a stream at <paramref name="actual"/> is what was expected.</summary>
    public bool Accepts(StreamVersion actual) => IsAny || _value == actual.Value;

    /// <summary>The form in which stores pass it to SQL: -1 for any, else the version.</summary>
    public int ToInt32() => _value;

    /// <inheritdoc/>
    public override string ToString() => IsAny ? "any" : _value.ToString(System.Globalization.CultureInfo.InvariantCulture);
}
