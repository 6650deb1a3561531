using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Metadata;
using Microsoft.EntityFrameworkCore.Migrations;
using Microsoft.EntityFrameworkCore.Migrations.Operations;
using Orleans.EventSourced.Core.Projections;

namespace Orleans.EventSourced.Sqlite;

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
        var columns = ViewColumn.Of(typeof(TRow));
        _columns = [.. columns.Select((c, i) => Column.Of(c, $"$c{i}", entity.FindProperty(c.Property)!.GetTypeMapping().Converter?.ConvertToProvider))];
        var name = context.Table;
        var names = columns.Select(c => $"\"{c.Name}\"").ToList();
        Create = $"""
            {Generate(context, o => o is not CreateIndexOperation)}
            create table {name}_tombstones (key text not null primary key, position integer not null) strict, without rowid;
            create index "{name}_tombstones_position" on {name}_tombstones (position);
            create table {name}_routes (slice integer not null, stream text not null, key text, state text not null, primary key (slice, stream)) strict, without rowid;
            """;
        CreateIndexes = Generate(context, o => o is CreateIndexOperation);

        // What people write (money > 50, order by money, money = 87.1) is right with a binary fraction, and silently wrong with text.
        CreatePlainName = $"create view \"{View.Name}\" as select key, position, {string.Join(", ", columns.Select((c, i) => c.Scale > 0 ? $"{names[i]} / 1e{c.Scale} as {names[i]}" : names[i]))} from {name}";
        Upsert = $"""
            insert into {name} (key, position, {string.Join(", ", names)})
            values ($key, $position, {string.Join(", ", _columns.Select(c => c.Parameter))})
            on conflict (key) do update set position = excluded.position, {string.Join(", ", names.Select(n => $"{n} = excluded.{n}"))}
            """;
        Revive = $"delete from {name}_tombstones where key in (select value from json_each($keys))";
        Delete = $"delete from {name} where key = $key";
        Bury = $"insert into {name}_tombstones (key, position) values ($key, $position) on conflict (key) do update set position = excluded.position";
        ReadTombstones = $"select key, position from {name}_tombstones where position > $after and position <= $to order by position limit $limit";
        UpsertRoute = $"""
            insert into {name}_routes (slice, stream, key, state) values ($slice, $stream, $key, $state)
            on conflict (slice, stream) do update set key = excluded.key, state = excluded.state
            """;
        ForgetRoute = $"delete from {name}_routes where slice = $slice and stream = $stream";
        ReadRoutes = $"select stream, key, state from {name}_routes where slice = $slice and stream in (select value from json_each($streams))";
    }

    public ViewId View { get; }

    /// <summary>The type of each column, as <c>read_columns.sql</c> finds it.</summary>
    public IReadOnlyDictionary<string, string> Columns { get; }

    public string Create { get; }

    /// <summary>The indexes beside the primary key.</summary>
    public string CreateIndexes { get; }

    public string CreatePlainName { get; }

    public string Upsert { get; }

    public string Revive { get; }

    public string Delete { get; }

    public string Bury { get; }

    public string UpsertRoute { get; }

    public string ForgetRoute { get; }

    /// <summary>The keys of deleted rows, between two positions.</summary>
    public string ReadTombstones { get; }

    public string ReadRoutes { get; }

    /// <summary>Room for the parameters of <see cref="Upsert"/>, to be filled for one row after the other.</summary>
    public (string Name, object Value)[] Parameters() => [("$key", DBNull.Value), ("$position", DBNull.Value), .. _columns.Select(c => (c.Parameter, (object)DBNull.Value))];

    /// <summary>Fills the parameters of <see cref="Upsert"/> with a row.</summary>
    public void Fill((string Name, object Value)[] parameters, RowChange<TRow> change)
    {
        parameters[0].Value = change.Key;
        parameters[1].Value = change.Position.Value;
        for (var i = 0; i < _columns.Count; i++)
        {
            parameters[i + 2].Value = _columns[i].Value(change.Row!) ?? DBNull.Value;
        }
    }

    /// <summary>The statements by which EF Core makes the table, or a part of it.</summary>
    private static string Generate(ViewContext<TRow> context, Func<MigrationOperation, bool> wanted)
    {
        var model = context.GetService<IDesignTimeModel>().Model;
        var operations = context.GetService<IMigrationsModelDiffer>().GetDifferences(null, model.GetRelationalModel());
        return string.Join('\n', context.GetService<IMigrationsSqlGenerator>().Generate([.. operations.Where(wanted)], model).Select(c => c.CommandText));
    }

    private abstract record Column(string Parameter)
    {
        public static Column Of(ViewColumn column, string parameter, Func<object?, object?>? convert)
        {
            var type = typeof(Column<>).MakeGenericType(typeof(TRow), column.Property.PropertyType);
            return (Column)Activator.CreateInstance(type, column, parameter, convert)!;
        }

        public abstract object? Value(TRow row);
    }

    private sealed record Column<TValue> : Column
    {
        private readonly Func<TRow, TValue> _value;
        private readonly Func<object?, object?>? _convert;

        public Column(ViewColumn column, string parameter, Func<object?, object?>? convert)
            : base(parameter) => (_value, _convert) = (column.Property.GetMethod!.CreateDelegate<Func<TRow, TValue>>(), convert);

        public override object? Value(TRow row) => _convert is null ? _value(row) : _convert(_value(row));
    }
}
