using Npgsql;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Projections;

namespace Orleans.EventSourced.Postgres;

/// <summary>
/// The tables of one version of a view in PostgreSQL. Whoever changes which table has which role holds the lock of all tables and then the rows of the checkpoints: runners hold one of those when
/// they write, and in the other order the two would wait for each other.
/// </summary>
/// <typeparam name="TRow">The class of a row.</typeparam>
internal sealed class PostgresViewEditions<TRow>(PostgresEditions<TRow> editions) : IViewEditions
    where TRow : class
{
    private static readonly ViewId View = PostgresViewEdition<TRow>.View;

    private static NpgsqlParameter[] Version => [Value(View.Name), Value(View.Version)];

    /// <inheritdoc/>
    public async Task<IReadOnlyList<ViewEdition>> ListAsync(CancellationToken cancellationToken)
    {
        try
        {
            await using var command = editions.Source.CreateCommand(Statements.ReadEditions);
            command.Parameters.AddRange(Version);
            await using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
            var made = new List<ViewEdition>();
            while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
            {
                made.Add(new ViewEdition(
                    reader.GetInt32(0),
                    reader.IsDBNull(1) ? null : ViewEdition.RoleOf(reader.GetString(1)),
                    reader.GetFieldValue<DateTimeOffset>(2),
                    reader.GetString(3),
                    reader.IsDBNull(4) ? null : reader.GetString(4)));
            }

            return made;
        }
        catch (Exception e) when (PostgresErrors.IsStoreError(e) && !cancellationToken.IsCancellationRequested)
        {
            throw PostgresErrors.OnRead(e);
        }
    }

    /// <inheritdoc/>
    public Task<ViewEdition?> BeginAsync(int slices, string reason, string? actor, CancellationToken cancellationToken)
    {
        ViewEdition.Check(reason, actor);
        return ChangeAsync<ViewEdition?>(
            async connection =>
            {
                if (await PostgresEditions<TRow>.FindAsync(connection, ViewRole.Building, cancellationToken).ConfigureAwait(false) is not null)
                {
                    return null;
                }

                if (await PostgresEditions<TRow>.FindAsync(connection, ViewRole.Live, cancellationToken).ConfigureAwait(false) is not { } live || live.Slices != slices)
                {
                    throw new LogRequestRefusedException($"There is no live table of view {View} that is divided into {slices} slices.");
                }

                await DropAsync(connection, ViewRole.Retired, cancellationToken).ConfigureAwait(false);
                var made = await MakeAsync(connection, editions, reason, actor, cancellationToken).ConfigureAwait(false);
                await PostgresViewStore.ExecuteAsync(connection, Statements.InsertCheckpoints, [.. Version, Value(ViewEdition.NameOf(ViewRole.Building)), Value(made.Number), Value(slices)], cancellationToken).ConfigureAwait(false);
                return made with { Role = ViewRole.Building };
            },
            cancellationToken);
    }

    /// <inheritdoc/>
    public Task<SwitchOutcome> SwitchAsync(int edition, CancellationToken cancellationToken) => ChangeAsync(
        async connection =>
        {
            var outcome = await CompareAsync(connection, edition, cancellationToken).ConfigureAwait(false);
            if (outcome is not SwitchOutcome.Switched)
            {
                return outcome;
            }

            await ChangeRoleAsync(connection, ViewRole.Live, ViewRole.Retired, cancellationToken).ConfigureAwait(false);
            await ChangeRoleAsync(connection, ViewRole.Building, ViewRole.Live, cancellationToken).ConfigureAwait(false);
            await using var shown = new NpgsqlCommand(Statements.IsLive, connection);
            shown.Parameters.AddRange(Version);
            if (await shown.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false) is true)
            {
                await PostgresViewStore.ExecuteAsync(connection, editions.Of(edition).Sql.CreatePlainName, [], cancellationToken).ConfigureAwait(false);
            }

            return outcome;
        },
        cancellationToken);

    /// <inheritdoc/>
    public Task<bool> CancelAsync(CancellationToken cancellationToken) => ChangeAsync(connection => DropAsync(connection, ViewRole.Building, cancellationToken), cancellationToken);

    /// <inheritdoc/>
    public Task<bool> RevertAsync(CancellationToken cancellationToken) =>
        ChangeAsync(async connection => await ChangeRoleAsync(connection, ViewRole.Retired, ViewRole.Building, cancellationToken).ConfigureAwait(false) > 0, cancellationToken);

    /// <inheritdoc/>
    public Task<bool> DropRetiredAsync(CancellationToken cancellationToken) => ChangeAsync(connection => DropAsync(connection, ViewRole.Retired, cancellationToken), cancellationToken);

    /// <inheritdoc/>
    public Task<bool> ShowAsync(CancellationToken cancellationToken) => ChangeAsync(
        async connection =>
        {
            if (await PostgresEditions<TRow>.FindAsync(connection, ViewRole.Live, cancellationToken).ConfigureAwait(false) is not { Number: var number })
            {
                throw new LogRequestRefusedException($"The view {View} has no table to show.");
            }

            if (await PostgresViewStore.ExecuteAsync(connection, Statements.UpdateLive, Version, cancellationToken).ConfigureAwait(false) == 0)
            {
                return false;
            }

            if (await TextAsync(connection, Statements.ReadDependents, cancellationToken).ConfigureAwait(false) is { Length: > 0 } dependents)
            {
                throw new LogRequestRefusedException($"The plain name of view {View} cannot show another version while these hang on it: {dependents}. Drop them and make them again behind the switch.");
            }

            // Versions differ in their columns, which no view in place can change.
            var grants = await TextAsync(connection, Statements.ReadGrants, cancellationToken).ConfigureAwait(false);
            await PostgresViewStore.ExecuteAsync(connection, $"drop view {PostgresViewStore.Schema}.\"{View.Name}\"; {editions.Of(number).Sql.CreatePlainName}; {grants}", [], cancellationToken).ConfigureAwait(false);
            return true;
        },
        cancellationToken);

    /// <summary>Makes a table with the next number, under the lock of all tables.</summary>
    public static async Task<ViewEdition> MakeAsync(NpgsqlConnection connection, PostgresEditions<TRow> editions, string reason, string? actor, CancellationToken cancellationToken)
    {
        ViewEdition made;
        await using (var command = new NpgsqlCommand(Statements.InsertEdition, connection))
        {
            command.Parameters.AddRange((NpgsqlParameter[])[.. Version, Value(reason), Value(actor)]);
            await using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
            await reader.ReadAsync(cancellationToken).ConfigureAwait(false);
            made = new ViewEdition(reader.GetInt32(0), null, reader.GetFieldValue<DateTimeOffset>(1), reason, actor);
        }

        await PostgresViewStore.ExecuteAsync(connection, editions.Of(made.Number).Sql.Create, [], cancellationToken).ConfigureAwait(false);
        return made;
    }

    /// <summary>Whether the table that is built is as far as the live one, slice by slice; no runner moves either until the commit.</summary>
    private static async Task<SwitchOutcome> CompareAsync(NpgsqlConnection connection, int edition, CancellationToken cancellationToken)
    {
        var checkpoints = new List<(int, ViewRole, int, LogPosition)>();
        await using (var command = new NpgsqlCommand(Statements.LockCheckpoints, connection))
        {
            command.Parameters.AddRange(Version);
            await using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
            while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
            {
                checkpoints.Add((reader.GetInt32(0), ViewEdition.RoleOf(reader.GetString(1)), reader.GetInt32(2), new LogPosition(reader.GetInt64(3))));
            }
        }

        // A statement of its own, behind the lock: it sees what those who held it parked.
        await using var parked = new NpgsqlCommand(Statements.CountParked, connection);
        parked.Parameters.AddRange(Version);
        return SwitchOutcome.Of(edition, checkpoints, (int)(await parked.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false))!);
    }

    private static async Task<string> TextAsync(NpgsqlConnection connection, string statement, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(statement, connection) { Parameters = { Value(View.Name) } };
        return await command.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false) as string ?? "";
    }

    private static Task<bool> DropAsync(NpgsqlConnection connection, ViewRole role, CancellationToken cancellationToken) => PostgresViewStore.DropTablesAsync(connection, View, role, cancellationToken);

    private static Task<int> ChangeRoleAsync(NpgsqlConnection connection, ViewRole role, ViewRole next, CancellationToken cancellationToken) =>
        PostgresViewStore.ExecuteAsync(connection, Statements.ChangeRole, [.. Version, Value(ViewEdition.NameOf(role)), Value(ViewEdition.NameOf(next))], cancellationToken);

    private static NpgsqlParameter Value<T>(T value) => PostgresViewStore.Value(value);

    private Task<T> ChangeAsync<T>(Func<NpgsqlConnection, Task<T>> change, CancellationToken cancellationToken) => PostgresViewStore.ChangeTablesAsync(editions.Source, change, cancellationToken);
}
