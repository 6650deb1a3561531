using System.Globalization;
using System.Reflection;
using Npgsql;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Projections;

namespace Orleans.EventSourced.Postgres;

/// <summary>The statements of one table of a view. Names come from <see cref="ViewId"/> and <see cref="ViewColumn"/>, whose names are without quotation marks, and are quoted; values are parameters.</summary>
/// <typeparam name="TRow">The class of a row.</typeparam>
internal sealed class ViewSql<TRow>
    where TRow : class
{
    private readonly Column[] _columns;

    // The columns that the constructor takes, in the order of its parameters, and those that are set behind it.
    private readonly ConstructorInvoker _constructor;
    private readonly int[] _taken;
    private readonly int[] _set;

    public ViewSql(string table)
    {
        View = ViewId.Of(typeof(TRow));
        _columns = [.. ViewColumn.Of(typeof(TRow)).Select(Column.Of)];
        Columns = _columns.ToDictionary(c => c.Name, c => c.StoreType + (c.IsNullable ? "" : " not null"), StringComparer.Ordinal);
        (_constructor, _taken) = Constructor(_columns);
        _set = [.. Enumerable.Range(0, _columns.Length).Except(_taken)];
        Columns["key"] = "text not null";
        Columns["position"] = "bigint not null";
        var name = $"{PostgresViewStore.Schema}.{table}";
        var names = _columns.Select(c => $"\"{c.Name}\"").ToList();
        Create = $"""
            create table {name} (key text collate "C", position bigint not null, {string.Join(", ", _columns.Select((c, i) => $"{names[i]} {c.Definition}"))}, constraint "PK_{table}" primary key (key));
            create table {name}_tombstones (key text collate "C" primary key, position bigint not null);
            create index on {name}_tombstones (position);
            create table {name}_routes (slice int not null, stream text collate "C" not null, key text collate "C", state json not null, primary key (slice, stream));
            """;
        CreateIndexes = string.Join('\n', _columns.Where(c => c.IsIndexed).Select(c => $"create index on {name} (\"{c.Name}\", key);").Prepend($"create index on {name} (position);"));
        ReadRows = $"select key, {string.Join(", ", names)} from {name} where key = any ($1)";
        ReadOne = $"""
            select r.key, {string.Join(", ", names.Select(n => $"r.{n}"))}, r.position,
                   coalesce((select min(p.position) - 1 from {PostgresViewStore.Schema}.parked p where p.view = $1 and p.version = $2 and p.edition = $4 and p.slice = $5 and p.key = $6), c.position)
            from {PostgresViewStore.Schema}.checkpoints c left join {name} r on r.key = $6
            where c.view = $1 and c.version = $2 and c.role = $3 and c.edition = $4 and c.slice = $5
            """;
        CreatePlainName = $"""
            create or replace view {PostgresViewStore.Schema}."{View.Name}" as select * from {name};
            do $$ begin
              if exists (select from pg_catalog.pg_roles where rolname = 'es_reader') then grant select on {PostgresViewStore.Schema}."{View.Name}" to es_reader; end if;
            end $$
            """;

        // In the list of a select unnest goes through all arrays in step, without a table of its own for each column, which a from clause makes: it takes half the server's time.
        Upsert = $"""
            insert into {name} (key, position, {string.Join(", ", names)})
            select unnest($1::text[]), unnest($2::bigint[]), {string.Join(", ", _columns.Select((c, i) => $"unnest(${i + 3}::{c.StoreType}[])"))}
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

    /// <summary>The type of each column, as <c>read_columns.sql</c> finds it.</summary>
    public Dictionary<string, string> Columns { get; }

    public string Create { get; }

    /// <summary>The indexes beside the primary key.</summary>
    public string CreateIndexes { get; }

    /// <summary>Lets the plain name show this table; where it shows another one of the same columns, what hangs on it and what was granted stays.</summary>
    public string CreatePlainName { get; }

    /// <summary>The rows with some keys, as <see cref="Row"/> reads them.</summary>
    public string ReadRows { get; }

    /// <summary>The row with a key and how far it reaches, in one statement, so that both are of one moment, as <see cref="Reading"/> reads it; nothing: the table has not the role, or not that slice.</summary>
    public string ReadOne { get; }

    public string Upsert { get; }

    public string Revive { get; }

    public string Delete { get; }

    public string UpsertRoutes { get; }

    public string ForgetRoutes { get; }

    /// <summary>The keys of deleted rows, between two positions.</summary>
    public string ReadTombstones { get; }

    public string ReadRoutes { get; }

    /// <summary>The columns of these rows, one array each, in the order of <see cref="Upsert"/>.</summary>
    public IEnumerable<NpgsqlParameter> Arrays(IReadOnlyList<TRow> rows) => _columns.Select(c => c.ArrayOf(rows));

    /// <summary>A row as <see cref="ReadRows"/> answers it.</summary>
    public TRow Row(NpgsqlDataReader reader)
    {
        var row = (TRow)(_taken.Length == 0 ? _constructor.Invoke() : _constructor.Invoke(Array.ConvertAll(_taken, i => _columns[i].Read(reader, i + 1)).AsSpan()));
        foreach (var i in _set)
        {
            _columns[i].Read(reader, i + 1, row);
        }

        return row;
    }

    /// <summary>A row, or that there is none, as <see cref="ReadOne"/> answers it: how far it reaches is its slice's checkpoint, or the position before the event at which it is parked.</summary>
    public RowReading<TRow> Reading(NpgsqlDataReader reader)
    {
        var row = reader.IsDBNull(0) ? null : new KeyedRow<TRow> { Key = reader.GetString(0), Position = reader.GetInt64(_columns.Length + 1), Row = Row(reader) };
        return new RowReading<TRow>(row, new LogPosition(reader.GetInt64(_columns.Length + 2)));
    }

    /// <summary>The constructor that EF Core takes too: of those whose parameters are all columns, the one with the fewest.</summary>
    private static (ConstructorInvoker Constructor, int[] Taken) Constructor(Column[] columns)
    {
        var fitting = from c in typeof(TRow).GetConstructors(BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Instance)
                      let taken = c.GetParameters().Select(p => Array.FindIndex(columns, k => k.Fits(p))).ToArray()
                      where !taken.Contains(-1)
                      orderby taken.Length
                      select (ConstructorInvoker.Create(c), taken);
        return fitting.FirstOrDefault() is { Item1: not null } first ? first : throw new ArgumentException($"The row '{typeof(TRow)}' has no constructor whose parameters are its properties.");
    }

    private abstract class Column(ViewColumn column)
    {
        public string Name { get; } = column.Name;

        public bool IsNullable { get; } = column.IsNullable;

        public bool IsIndexed { get; } = column.IsIndexed;

        /// <summary>As <c>read_columns.sql</c> finds it, and as the mapping of <see cref="ViewContext{TRow}"/> has it.</summary>
        public string StoreType { get; } = (Nullable.GetUnderlyingType(column.Property.PropertyType) ?? column.Property.PropertyType) switch
        {
            var t when t == typeof(string) => "text",
            var t when t == typeof(bool) => "boolean",
            var t when t == typeof(int) => "integer",
            var t when t == typeof(long) => "bigint",
            var t when t == typeof(decimal) => string.Create(CultureInfo.InvariantCulture, $"numeric({ViewContext<TRow>.Precision},{column.Scale})"),
            var t when t == typeof(Guid) => "uuid",
            var t when t == typeof(DateTimeOffset) => "timestamp with time zone",
            var t when t == typeof(DateOnly) => "date",
            var t => throw new ArgumentException($"No column has the type {t}."),
        };

        public string Definition => (StoreType == "text" ? "text collate \"C\"" : StoreType) + (IsNullable ? "" : " not null");

        public static Column Of(ViewColumn column) => (Column)Activator.CreateInstance(typeof(Column<>).MakeGenericType(typeof(TRow), column.Property.PropertyType), column)!;

        public bool Fits(ParameterInfo parameter) => string.Equals(parameter.Name, column.Property.Name, StringComparison.OrdinalIgnoreCase) && parameter.ParameterType == column.Property.PropertyType;

        public abstract NpgsqlParameter ArrayOf(IReadOnlyList<TRow> rows);

        public abstract object? Read(NpgsqlDataReader reader, int ordinal);

        public abstract void Read(NpgsqlDataReader reader, int ordinal, TRow row);
    }

    private sealed class Column<TValue>(ViewColumn column) : Column(column)
    {
        private readonly Func<TRow, TValue> _get = column.Property.GetMethod!.CreateDelegate<Func<TRow, TValue>>();
        private readonly Action<TRow, TValue> _set = column.Property.SetMethod!.CreateDelegate<Action<TRow, TValue>>();

        public override NpgsqlParameter ArrayOf(IReadOnlyList<TRow> rows)
        {
            var values = new TValue[rows.Count];
            for (var i = 0; i < values.Length; i++)
            {
                values[i] = _get(rows[i]);
            }

            return new NpgsqlParameter<TValue[]> { TypedValue = values };
        }

        public override object? Read(NpgsqlDataReader reader, int ordinal) => Value(reader, ordinal);

        public override void Read(NpgsqlDataReader reader, int ordinal, TRow row) => _set(row, Value(reader, ordinal));

        private TValue Value(NpgsqlDataReader reader, int ordinal) => IsNullable && reader.IsDBNull(ordinal) ? default! : reader.GetFieldValue<TValue>(ordinal);
    }
}
