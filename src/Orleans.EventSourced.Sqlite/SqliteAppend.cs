using System.Text;
using Microsoft.Data.Sqlite;
using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.Log;

namespace Orleans.EventSourced.Sqlite;

/// <summary>
/// One batch in one transaction: the same steps as <c>es.append_batch</c> in PostgreSQL. There is one writer, so versions and ids cannot change between look-up and insert.
/// </summary>
internal sealed class SqliteAppend(SqliteSession session, TimeProvider time)
{
    private static readonly UTF8Encoding StrictUtf8 = new(false, throwOnInvalidBytes: true);
    private readonly List<byte[]> _digests = [];
    private long _commitId;

    public IReadOnlyList<AppendOutcome> Run(IReadOnlyList<AppendRequest> batch)
    {
        try
        {
            session.Begin();
        }
        catch (SqliteException e)
        {
            throw SqliteErrors.BeforeCommit(e);
        }

        IReadOnlyList<AppendOutcome> outcomes;
        try
        {
            outcomes = Write(batch);
        }
        catch (Exception e)
        {
            session.Rollback();
            throw e is SqliteException s ? SqliteErrors.BeforeCommit(s) : e;
        }

        try
        {
            session.Execute("commit");
            return outcomes;
        }
        catch (SqliteException e)
        {
            session.Rollback();
            throw SqliteErrors.OnCommit(e);
        }
    }

    private IReadOnlyList<AppendOutcome> Write(IReadOnlyList<AppendRequest> batch)
    {
        var now = HashLink.Microseconds(time.GetUtcNow());
        var last = LastCommit();
        _commitId = last.Id + 1;
        var position = last.Position + last.Count;
        var at = Math.Max(now, last.RecordedAt);
        var outcomes = new AppendOutcome[batch.Count];
        var seen = new HashSet<StreamId>(batch.Count);
        for (var i = 0; i < batch.Count; i++)
        {
            outcomes[i] = seen.Add(batch[i].Stream) ? Write(batch[i], position, at) : new AppendOutcome.Deferred();
        }

        if (_digests.Count > 0)
        {
            var link = HashLink.Next(last.Link, new LogPosition(position), HashLink.FromMicroseconds(at), _digests);
            session.Prepared(Statements.InsertCommit, ("$position", position), ("$id", _commitId), ("$count", _digests.Count), ("$recorded_at", at), ("$link", link), ("$marks", HashLink.Marks(_digests))).ExecuteNonQuery();
        }

        return outcomes;
    }

    private AppendOutcome Write(AppendRequest request, long position, long at)
    {
        var stream = FindStream(request.Stream);
        if (FindIds(request, stream?.Id) is { } known)
        {
            return known;
        }

        var version = new StreamVersion(stream?.Version ?? 0);
        if (!request.Expected.Accepts(version))
        {
            return new AppendOutcome.Conflict(version);
        }

        var id = stream?.Id ?? InsertStream(request.Stream, at);
        foreach (var e in request.Events)
        {
            version += 1;
            session.Prepared(
                Statements.InsertEvent,
                ("$stream_id", id),
                ("$version", version.Value),
                ("$commit_id", _commitId),
                ("$ordinal", _digests.Count),
                ("$id", e.Id.Value.ToByteArray(bigEndian: true)),
                ("$type", e.Type),
                ("$schema", e.Schema),
                ("$data", Text(e.Data)),
                ("$metadata", Text(e.Metadata))).ExecuteNonQuery();
            _digests.Add(HashLink.Digest(request.Stream.Value, version.Value, e.Id.Value, e.Type, e.Schema, e.Data.Span, e.Metadata.Span));
        }

        return new AppendOutcome.Appended(version, new LogPosition(position + _digests.Count - 1), HashLink.FromMicroseconds(at));
    }

    /// <summary>What the log already knows of the request's ids; null: none of them.</summary>
    private AppendOutcome? FindIds(AppendRequest request, long? stream)
    {
        var (found, exact) = (0, true);
        var (version, position, at) = (0, 0L, 0L);
        string? hash = null;
        for (var i = 0; i < request.Events.Count; i++)
        {
            using var reader = session.Prepared(Statements.FindId, ("$id", request.Events[i].Id.Value.ToByteArray(bigEndian: true))).ExecuteReader();
            if (!reader.Read())
            {
                continue;
            }

            found++;
            if (reader.IsDBNull(2))
            {
                // An earlier request of this batch has it.
                return new AppendOutcome.IdReused();
            }

            // A commit holds one request of a stream: its first event has no neighbour of the commit before it, its last one none behind.
            exact &= reader.GetInt64(0) == stream && (i == 0 || reader.GetInt32(1) == version + 1)
                && reader.GetBoolean(5) == (i > 0) && reader.GetBoolean(6) == (i < request.Events.Count - 1);
            (version, position, at) = (reader.GetInt32(1), reader.GetInt64(2), reader.GetInt64(3));
            hash = EventMetadata.RequestHashOf(reader.GetFieldValue<byte[]>(4));
        }

        return found switch
        {
            0 => null,
            _ when exact && found == request.Events.Count && hash == request.RequestHash =>
                new AppendOutcome.Duplicate(new StreamVersion(version), new LogPosition(position), HashLink.FromMicroseconds(at)),
            _ => new AppendOutcome.IdReused(),
        };
    }

    private (long Id, int Version)? FindStream(StreamId stream)
    {
        using var reader = session.Prepared(Statements.FindStream, ("$name", stream.Value)).ExecuteReader();
        return reader.Read() ? (reader.GetInt64(0), reader.GetInt32(1)) : null;
    }

    private long InsertStream(StreamId stream, long at)
    {
        var id = (long)session.Prepared(Statements.NextStream).ExecuteScalar()!;
        session.Prepared(
            Statements.InsertStream, ("$id", id), ("$name", stream.Value), ("$type", stream.Type), ("$created_at", at), ("$seal", RowSeal.OfStream(id, stream.Value, at))).ExecuteNonQuery();
        return id;
    }

    private (long Position, long Id, long Count, long RecordedAt, byte[] Link) LastCommit()
    {
        using var reader = session.Prepared(Statements.LastCommit).ExecuteReader();
        return reader.Read() ? (reader.GetInt64(0), reader.GetInt64(1), reader.GetInt64(2), reader.GetInt64(3), reader.GetFieldValue<byte[]>(4)) : (1, 0, 0, 0, []);
    }

    private static string Text(ReadOnlyMemory<byte> json)
    {
        try
        {
            return StrictUtf8.GetString(json.Span);
        }
        catch (DecoderFallbackException e)
        {
            throw new LogRequestRefusedException("Payload and metadata are JSON in UTF-8; this is not UTF-8.", e);
        }
    }
}
