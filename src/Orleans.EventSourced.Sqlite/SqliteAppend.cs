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
    private readonly List<byte[]> _digests = [];
    private long _commitId;

    public IReadOnlyList<AppendOutcome> Run(IReadOnlyList<AppendRequest> batch)
    {
        try
        {
            session.Execute("begin immediate");
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
            Rollback();
            throw e is SqliteException s ? SqliteErrors.BeforeCommit(s) : e;
        }

        try
        {
            session.Execute("commit");
            return outcomes;
        }
        catch (SqliteException e)
        {
            Rollback();
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
            session.Prepared(Statements.InsertCommit, ("$position", position), ("$id", _commitId), ("$count", _digests.Count), ("$recorded_at", at), ("$link", link)).ExecuteNonQuery();
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
                ("$data", Encoding.UTF8.GetString(e.Data.Span)),
                ("$metadata", Encoding.UTF8.GetString(e.Metadata.Span))).ExecuteNonQuery();
            _digests.Add(HashLink.Digest(request.Stream.Value, version.Value, e.Id.Value, e.Type, e.Schema, e.Data.Span, e.Metadata.Span));
        }

        return new AppendOutcome.Appended(version, new LogPosition(position + _digests.Count - 1), HashLink.FromMicroseconds(at));
    }

    /// <summary>What the log already knows of the request's ids; null: none of them.</summary>
    private AppendOutcome? FindIds(AppendRequest request, long? stream)
    {
        var (found, here, inOrder) = (0, true, true);
        var (version, position, at) = (0, 0L, 0L);
        string? hash = null;
        for (var i = 0; i < request.Events.Count; i++)
        {
            using var reader = session.Prepared(Statements.FindId, ("$id", request.Events[i].Id.Value.ToByteArray(bigEndian: true))).ExecuteReader();
            if (!reader.Read())
            {
                continue;
            }

            here &= reader.GetInt64(0) == stream;
            inOrder &= found == i && (i == 0 || reader.GetInt32(1) == version + 1);
            (version, position, at) = (reader.GetInt32(1), reader.GetInt64(2), reader.GetInt64(3));
            hash = EventMetadata.RequestHashOf(reader.GetFieldValue<byte[]>(4));
            found++;
        }

        return found switch
        {
            0 => null,
            _ when found == request.Events.Count && here && inOrder && hash == request.RequestHash =>
                new AppendOutcome.Duplicate(new StreamVersion(version), new LogPosition(position), HashLink.FromMicroseconds(at)),
            _ => new AppendOutcome.IdReused(),
        };
    }

    private (long Id, int Version)? FindStream(StreamId stream)
    {
        using var reader = session.Prepared(Statements.FindStream, ("$name", stream.Value)).ExecuteReader();
        return reader.Read() ? (reader.GetInt64(0), reader.GetInt32(1)) : null;
    }

    private long InsertStream(StreamId stream, long at) =>
        (long)session.Prepared(Statements.InsertStream, ("$name", stream.Value), ("$type", stream.Type), ("$created_at", at)).ExecuteScalar()!;

    private (long Position, long Id, long Count, long RecordedAt, byte[] Link) LastCommit()
    {
        using var reader = session.Prepared(Statements.LastCommit).ExecuteReader();
        return reader.Read() ? (reader.GetInt64(0), reader.GetInt64(1), reader.GetInt64(2), reader.GetInt64(3), reader.GetFieldValue<byte[]>(4)) : (1, 0, 0, 0, []);
    }

    private void Rollback()
    {
        try
        {
            session.Execute("rollback");
        }
        catch (SqliteException e) when (e.SqliteErrorCode == 1)
        {
            // SQLite has rolled back by itself, as it does when the disk is full.
        }
    }
}
