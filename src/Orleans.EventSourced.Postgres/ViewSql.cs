using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Metadata;
using Microsoft.EntityFrameworkCore.Migrations;
using Microsoft.EntityFrameworkCore.Migrations.Operations;
using Npgsql;
using Orleans.EventSourced.Core.Projections;

namespace Orleans.EventSourced.Postgres;

/// <summary>The statements of one table of a view. Names come from <see cref="ViewId"/> and <see cref="ViewColumn"/>, whose names are without quotation marks, and are quoted; values are parameters.</summary>
/// <typeparam name="TRow">The class of a row.</typeparam>
internal sealed class ViewSql<TRow>
    where TRow : class
{
    private readonly IReadOnlyList<Column> _columns;

    public ViewSql(ViewContext<TRow> context)
    {
        var entity = context.Model.FindEntityType(typeof(TRow))!;
        var table = StoreObjectIdentifier.Create(entity, StoreObjectType.Table)!.Value;
        View = ViewId.Of(typeof(TRow));
        Columns = entity.GetProperties().ToDictionary(p => p.GetColumnName(table)!, p => p.GetColumnType(table) + (p.IsColumnNullable(table) ? "" : " not null"), StringComparer.Ordinal);
        _columns = [.. ViewColumn.Of(typeof(TRow)).Select(c => Column.Of(c, entity.FindProperty(c.Property)!.GetColumnType(table)!))];
        var name = $"{PostgresViewStore.Schema}.{context.Table}";
        Table = context.Table;
        var names = _columns.Select(c => $"\"{c.Name}\"").ToList();
        Create = $"""
            {Generate(context, o => o is not CreateIndexOperation)}
            create table {name}_tombstones (key text collate "C" primary key, position bigint not null);
            create index on {name}_tombstones (position);
            create table {name}_routes (slice int not null, stream text collate "C" not null, key text collate "C", state json not null, primary key (slice, stream));
            """;
        CreateIndexes = Generate(context, o => o is CreateIndexOperation);
        CreatePlainName = $"create or replace view {PostgresViewStore.Schema}.\"{View.Name}\" as select * from {name}";
        Upsert = $"""
            insert into {name} (key, position, {string.Join(", ", names)})
            select * from unnest($1::text[], $2::bigint[], {string.Join(", ", _columns.Select((c, i) => $"${i + 3}::{c.StoreType}[]"))})
            on conflict (key) do update set position = excluded.position, {string.Join(", ", names.Select(n => $"{n} = excluded.{n}"))}
            """;
        Revive = $"delete from {name}_tombstones where key = any ($1)";
        Delete = $"""
            with gone as (delete from {name} where key = any ($1))
            insert into {name}_tombstones (key, position) select * from unnest($1::text[], $2::bigint[])
            on conflict (key) do update set position = excluded.position
            """;
        ReadTombstones = $"select key, position from {name}_tombstones where position > $1 and position <= $2 order by position limit $3";
        UpsertRoutes = $"""
            insert into {name}_routes (slice, stream, key, state)
            select $1, r.stream, r.key, r.state::json from unnest($2::text[], $3::text[], $4::text[]) r(stream, key, state)
            on conflict (slice, stream) do update set key = excluded.key, state = excluded.state
            """;
        ForgetRoutes = $"delete from {name}_routes where slice = $1 and stream = any ($2)";
        ReadRoutes = $"select stream, key, state::text from {name}_routes where slice = $1 and stream = any ($2)";
    }

    public ViewId View { get; }

    public string Table { get; }

    /// <summary>The type of each column, as <c>read_columns.sql</c> finds it.</summary>
    public IReadOnlyDictionary<string, string> Columns { get; }

    public string Create { get; }

    /// <summary>The indexes beside the primary key.</summary>
    public string CreateIndexes { get; }

    /// <summary>Lets the plain name show this table; where it shows another one of the same columns, what hangs on it and what was granted stays.</summary>
    public string CreatePlainName { get; }

    public string Upsert { get; }

    public string Revive { get; }

    public string Delete { get; }

    public string UpsertRoutes { get; }

    public string ForgetRoutes { get; }

    /// <summary>The keys of deleted rows, between two positions.</summary>
    public string ReadTombstones { get; }

    public string ReadRoutes { get; }

    /// <summary>The columns of these rows, one array each, in the order of <see cref="Upsert"/>.</summary>
    public IEnumerable<NpgsqlParameter> Arrays(IReadOnlyList<TRow> rows) => _columns.Select(c => c.Array(rows));

    /// <summary>The statements by which EF Core makes the table, or a part of it.</summary>
    private static string Generate(ViewContext<TRow> context, Func<MigrationOperation, bool> wanted)
    {
        var model = context.GetService<IDesignTimeModel>().Model;
        var operations = context.GetService<IMigrationsModelDiffer>().GetDifferences(null, model.GetRelationalModel());
        return string.Join('\n', context.GetService<IMigrationsSqlGenerator>().Generate([.. operations.Where(wanted)], model).Select(c => c.CommandText));
    }

    private abstract record Column(string Name, string StoreType)
    {
        public static Column Of(ViewColumn column, string storeType)
        {
            var type = typeof(Column<>).MakeGenericType(typeof(TRow), column.Property.PropertyType);
            return (Column)Activator.CreateInstance(type, column, storeType)!;
        }

        public abstract NpgsqlParameter Array(IReadOnlyList<TRow> rows);
    }

    private sealed record Column<TValue> : Column
    {
        private readonly Func<TRow, TValue> _value;

        public Column(ViewColumn column, string storeType)
            : base(column.Name, storeType) => _value = column.Property.GetMethod!.CreateDelegate<Func<TRow, TValue>>();

        public override NpgsqlParameter Array(IReadOnlyList<TRow> rows)
        {
            var values = new TValue[rows.Count];
            for (var i = 0; i < values.Length; i++)
            {
                values[i] = _value(rows[i]);
            }

            return new NpgsqlParameter<TValue[]> { TypedValue = values };
        }
    }
}
