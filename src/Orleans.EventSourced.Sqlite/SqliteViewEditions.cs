using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Projections;

namespace Orleans.EventSourced.Sqlite;

/// <summary>The tables of one version of a view in the file of views. Changes are one transaction each, on the one thread that writes.</summary>
/// <typeparam name="TRow">The class of a row.</typeparam>
internal sealed class SqliteViewEditions<TRow>(SqliteEditions<TRow> editions) : IViewEditions
    where TRow : class
{
    private static readonly ViewId View = SqliteViewEdition<TRow>.View;

    /// <inheritdoc/>
    public Task<IReadOnlyList<ViewEdition>> ListAsync(CancellationToken cancellationToken) => editions.File.ReadAsync<IReadOnlyList<ViewEdition>>(
        session =>
        {
            using var reader = session.Prepared(Statements.ReadEditions, ("$view", View.Name), ("$version", View.Version)).ExecuteReader();
            var made = new List<ViewEdition>();
            while (reader.Read())
            {
                made.Add(new ViewEdition(
                    reader.GetInt32(0),
                    reader.IsDBNull(1) ? null : ViewEdition.RoleOf(reader.GetString(1)),
                    HashLink.FromMicroseconds(reader.GetInt64(2)),
                    reader.GetString(3),
                    reader.IsDBNull(4) ? null : reader.GetString(4)));
            }

            return made;
        },
        cancellationToken);

    /// <inheritdoc/>
    public Task<ViewEdition?> BeginAsync(int slices, string reason, string? actor, CancellationToken cancellationToken)
    {
        ViewEdition.Check(reason, actor);
        return editions.File.WriteAsync<ViewEdition?>(
            session =>
            {
                if (SqliteEditions<TRow>.Find(session, ViewRole.Building) is not null)
                {
                    return null;
                }

                if (SqliteEditions<TRow>.Find(session, ViewRole.Live) is not { } live || live.Slices != slices)
                {
                    throw new LogRequestRefusedException($"There is no live table of view {View} that is divided into {slices} slices.");
                }

                SqliteViewStore.DropTables(session, View, ViewRole.Retired);
                var made = Make(session, editions, reason, actor);
                for (var slice = 0; slice < slices; slice++)
                {
                    InsertCheckpoint(session, editions, ViewRole.Building, made.Number, new Slice(slice, slices));
                }

                return made with { Role = ViewRole.Building };
            },
            cancellationToken);
    }

    /// <inheritdoc/>
    public Task<SwitchOutcome> SwitchAsync(int edition, CancellationToken cancellationToken) => editions.File.WriteAsync(
        session =>
        {
            var outcome = Compare(session, edition);
            if (outcome is SwitchOutcome.Switched)
            {
                ChangeRole(session, ViewRole.Live, ViewRole.Retired);
                ChangeRole(session, ViewRole.Building, ViewRole.Live);
                if (session.Prepared(Statements.IsLive, ("$view", View.Name), ("$version", View.Version)).ExecuteScalar() is 1L)
                {
                    Show(session, edition);
                }
            }

            return outcome;
        },
        cancellationToken);

    /// <inheritdoc/>
    public Task<bool> CancelAsync(CancellationToken cancellationToken) => editions.File.WriteAsync(session => SqliteViewStore.DropTables(session, View, ViewRole.Building), cancellationToken);

    /// <inheritdoc/>
    public Task<bool> RevertAsync(CancellationToken cancellationToken) => editions.File.WriteAsync(session => ChangeRole(session, ViewRole.Retired, ViewRole.Building) > 0, cancellationToken);

    /// <inheritdoc/>
    public Task<bool> DropRetiredAsync(CancellationToken cancellationToken) => editions.File.WriteAsync(session => SqliteViewStore.DropTables(session, View, ViewRole.Retired), cancellationToken);

    /// <inheritdoc/>
    public Task<bool> ShowAsync(CancellationToken cancellationToken) => editions.File.WriteAsync(
        session =>
        {
            if (SqliteEditions<TRow>.Find(session, ViewRole.Live) is not { Number: var number })
            {
                throw new LogRequestRefusedException($"The view {View} has no table to show.");
            }

            if (session.Prepared(Statements.UpdateLive, ("$view", View.Name), ("$version", View.Version)).ExecuteNonQuery() == 0)
            {
                return false;
            }

            Show(session, number);
            return true;
        },
        cancellationToken);

    /// <summary>Makes a table with the next number.</summary>
    public static ViewEdition Make(SqliteSession session, SqliteEditions<TRow> editions, string reason, string? actor)
    {
        var now = editions.Now();
        var number = Convert.ToInt32(
            session.Prepared(Statements.InsertEdition, ("$view", View.Name), ("$version", View.Version), ("$now", now), ("$reason", reason), ("$actor", (object?)actor ?? DBNull.Value)).ExecuteScalar(),
            System.Globalization.CultureInfo.InvariantCulture);
        session.Execute(editions.Of(number).Sql.Create);
        return new ViewEdition(number, null, HashLink.FromMicroseconds(now), reason, actor);
    }

    /// <summary>Makes the checkpoint of a slice at 0, where it is missing.</summary>
    public static void InsertCheckpoint(SqliteSession session, SqliteEditions<TRow> editions, ViewRole role, int number, Slice slice) => session.Prepared(
        Statements.InsertCheckpoint,
        ("$view", View.Name),
        ("$version", View.Version),
        ("$role", ViewEdition.NameOf(role)),
        ("$edition", number),
        ("$slice", slice.Index),
        ("$slices", slice.Count),
        ("$log_id", editions.LogId()),
        ("$now", editions.Now())).ExecuteNonQuery();

    /// <summary>Whether the table that is built is as far as the live one, slice by slice.</summary>
    private static SwitchOutcome Compare(SqliteSession session, int edition)
    {
        using var reader = session.Prepared(Statements.CompareCheckpoints, ("$view", View.Name), ("$version", View.Version)).ExecuteReader();
        var checkpoints = new List<(int, ViewRole, int, LogPosition)>();
        while (reader.Read())
        {
            checkpoints.Add((reader.GetInt32(0), ViewEdition.RoleOf(reader.GetString(1)), reader.GetInt32(2), new LogPosition(reader.GetInt64(3))));
        }

        var parked = session.Prepared(Statements.CountParked, ("$view", View.Name), ("$version", View.Version)).ExecuteScalar();
        return SwitchOutcome.Of(edition, checkpoints, Convert.ToInt32(parked, System.Globalization.CultureInfo.InvariantCulture));
    }

    private static int ChangeRole(SqliteSession session, ViewRole role, ViewRole next) => session.Prepared(
        Statements.ChangeRole, ("$view", View.Name), ("$version", View.Version), ("$role", ViewEdition.NameOf(role)), ("$next", ViewEdition.NameOf(next))).ExecuteNonQuery();

    private void Show(SqliteSession session, int number) => session.Execute($"drop view \"{View.Name}\"; {editions.Of(number).Sql.CreatePlainName}");
}
