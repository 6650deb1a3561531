using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.Log;

namespace Orleans.EventSourced.Core.History;

/// <summary>
/// Walks the states of one entity, forward and backward, event by event. It keeps the states of one window of versions, so that a step within it costs nothing; a step out of it folds from the
/// nearest snapshot. Not safe for concurrent use.
/// </summary>
public sealed class StateCursor
{
    /// <summary>How many states are kept.</summary>
    public const int Window = 256;

    private readonly TimeTravel _travel;
    private readonly EntityFold _fold;
    private List<(StateReading Reading, RecordedEvent? By)> _window = [];
    private int _at;

    /// <param name="travel">What reads the past.</param>
    /// <param name="fold">The fold of the stream's type.</param>
    /// <param name="stream">Whose states.</param>
    public StateCursor(TimeTravel travel, EntityFold fold, StreamId stream)
    {
        ArgumentNullException.ThrowIfNull(travel);
        ArgumentNullException.ThrowIfNull(fold);
        (_travel, _fold, Stream) = (travel, fold, stream);
        Begin(new StateReading(stream, StreamVersion.None, LogPosition.Start, null, fold.Initial, IsFinal: true));
    }

    /// <summary>Whose states.</summary>
    public StreamId Stream { get; }

    /// <summary>The state where the cursor stands; at first version 0, before the first event.</summary>
    public StateReading Current => _window[_at].Reading;

    /// <summary>The event that led to it; null: none did, or it is not known because the cursor was moved here.</summary>
    public RecordedEvent? By => _window[_at].By;

    /// <summary>One event on. False: there is none, and the cursor stays.</summary>
    /// <exception cref="HistoryException">The fold refuses the event.</exception>
    /// <exception cref="LogException">The log could not answer.</exception>
    public async Task<bool> ForwardAsync(CancellationToken cancellationToken)
    {
        if (_at + 1 == _window.Count && !await ExtendAsync(cancellationToken).ConfigureAwait(false))
        {
            return false;
        }

        _at++;
        return true;
    }

    /// <summary>One event back. False: the cursor stands before the first event, and stays.</summary>
    /// <exception cref="HistoryException">The fold refuses an event.</exception>
    /// <exception cref="LogException">The log could not answer.</exception>
    public async Task<bool> BackwardAsync(CancellationToken cancellationToken)
    {
        var version = Current.Version.Value;
        if (version == 0)
        {
            return false;
        }

        if (_at == 0)
        {
            // A whole window that ends where the cursor stands, so that the next steps cost nothing.
            var first = Math.Max(0, version - Window + 1);
            Begin(await _travel.ReadAsync(_fold, Stream, new PointInTime.AtVersion(new StreamVersion(first)), cancellationToken).ConfigureAwait(false));
            while (Current.Version.Value < version && await ForwardAsync(cancellationToken).ConfigureAwait(false))
            {
            }
        }

        _at--;
        return true;
    }

    /// <summary>To a version, 0 or more.</summary>
    /// <exception cref="HistoryException">The stream has no such version, or the fold refuses an event; the cursor stays.</exception>
    /// <exception cref="LogException">The log could not answer.</exception>
    public async Task MoveToAsync(StreamVersion version, CancellationToken cancellationToken)
    {
        var within = version.Value - _window[0].Reading.Version.Value;
        if (within >= 0 && within < _window.Count)
        {
            _at = within;
            return;
        }

        Begin(await _travel.ReadAsync(_fold, Stream, new PointInTime.AtVersion(version), cancellationToken).ConfigureAwait(false));
    }

    private void Begin(StateReading reading) => (_window, _at) = ([(reading, null)], 0);

    private async Task<bool> ExtendAsync(CancellationToken cancellationToken)
    {
        var last = _window[^1].Reading;
        var page = await _travel.ReadPageAsync(Stream, last.Version, Window / 2, cancellationToken).ConfigureAwait(false);
        foreach (var recorded in page)
        {
            last = new StateReading(Stream, recorded.Version, recorded.Position, recorded.RecordedAt, _travel.Evolve(_fold, last.State, recorded), IsFinal: true);
            _window.Add((last, recorded));
        }

        if (_window.Count > Window)
        {
            var gone = Math.Min(_window.Count - Window, _at);
            _window.RemoveRange(0, gone);
            _at -= gone;
        }

        return page.Count > 0;
    }
}
