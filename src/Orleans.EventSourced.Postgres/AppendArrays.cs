using Orleans.EventSourced.Core.Log;

namespace Orleans.EventSourced.Postgres;

/// <summary>A batch in the form in which <c>es.append</c> takes it: one array a column, of requests and of events.</summary>
internal readonly struct AppendArrays
{
    public AppendArrays(IReadOnlyList<AppendRequest> batch)
    {
        var requests = batch.Count;
        var events = batch.Sum(r => r.Events.Count);
        (Stream, Expected, Count, Hash, Before) = (new string[requests], new int[requests], new int[requests], new string?[requests], new int[requests]);
        (Request, Number, Id, Type, Schema) = (new int[events], new int[events], new Guid[events], new string[events], new short[events]);
        (Data, Metadata) = (new ReadOnlyMemory<byte>[events], new ReadOnlyMemory<byte>[events]);
        var k = 0;
        for (var i = 0; i < requests; i++)
        {
            var request = batch[i];
            (Stream[i], Expected[i], Count[i], Hash[i], Before[i]) = (request.Stream.Value, request.Expected.ToInt32(), request.Events.Count, request.RequestHash, k);
            for (var n = 0; n < request.Events.Count; n++, k++)
            {
                var e = request.Events[n];
                (Request[k], Number[k], Id[k], Type[k], Schema[k], Data[k], Metadata[k]) = (i + 1, n + 1, e.Id.Value, e.Type, e.Schema, e.Data, e.Metadata);
            }
        }
    }

    public string[] Stream { get; }

    public int[] Expected { get; }

    public int[] Count { get; }

    public string?[] Hash { get; }

    public int[] Before { get; }

    public int[] Request { get; }

    public int[] Number { get; }

    public Guid[] Id { get; }

    public string[] Type { get; }

    public short[] Schema { get; }

    public ReadOnlyMemory<byte>[] Data { get; }

    public ReadOnlyMemory<byte>[] Metadata { get; }
}
