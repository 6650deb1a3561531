using System.Globalization;
using System.Text;
using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Faults.Cluster;
using Orleans.EventSourced.Postgres;
using StreamId = Orleans.EventSourced.Core.Log.StreamId;

namespace Orleans.EventSourced.Faults.Clients;

/// <summary>
/// A writer beside the cluster that appends three events at once to a new stream each time, as an import does: the commands of a fine make one event each, and of those no reader could see a part.
/// It sends what is not answered again under its ids.
/// </summary>
internal sealed class BatchClient(FaultCluster cluster, RunHistory history)
{
    private const string Name = "batches";
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(90);
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(200);

    public async Task RunAsync(CancellationToken stop)
    {
        await using var log = new PostgresEventLog(new PostgresOptions { ConnectionString = cluster.WriterConnectionString, MaxConnections = 2 });
        for (var n = 0; !stop.IsCancellationRequested; n++)
        {
            await WriteAsync(log, n);
            await Task.Delay(Pause);
        }
    }

    private async Task WriteAsync(PostgresEventLog log, int n)
    {
        var (command, stream) = (CommandId.New(TimeProvider.System), new StreamId(string.Create(CultureInfo.InvariantCulture, $"fine/B{n}")));
        var paid = string.Create(CultureInfo.InvariantCulture, $"{1 + (n % 30)}.{n % 100:00}");
        var request = new AppendRequest(stream, ExpectedVersion.NoStream,
        [
            Event(0, "fine-issued", 2, $$"""{"amount":"35.00","article":157,"points":0,"vehicleClass":"A","officer":"561","dismissal":"NIL","occurredAt":"{{FineClient.When}}"}"""),
            Event(1, "fine-sent", 1, $$"""{"expense":"1.50","occurredAt":"{{FineClient.When}}"}"""),
            Event(2, "payment-received", 1, $$"""{"amount":"{{paid}}","occurredAt":"{{FineClient.When}}"}"""),
        ]);
        for (var began = TimeProvider.System.GetTimestamp(); TimeProvider.System.GetElapsedTime(began) < Patience;)
        {
            history.Lines.Invoke(Name, command, stream, $"fine-issued 35.00; fine-sent 1.50; payment-received {paid}");
            try
            {
                switch ((await log.AppendAsync([request], CancellationToken.None))[0])
                {
                    case AppendOutcome.Appended(var version, var position, _):
                        history.Lines.Ok(Name, command, stream, version, position, request.Events.Count);
                        return;
                    case AppendOutcome.Duplicate(var version, var position, _):
                        history.Lines.Ok(Name, command, stream, version, position, request.Events.Count);
                        return;
                    case var other:
                        history.Violation($"errors: a batch for the new stream {stream} was answered {other}");
                        return;
                }
            }
            catch (LogUnavailableException e)
            {
                history.Lines.Fail(Name, command, stream, e.Message);
            }
            catch (LogOutcomeUnknownException e)
            {
                history.Lines.Unknown(Name, command, stream, e.Message);
            }
            catch (LogException e)
            {
                history.Lines.Unknown(Name, command, stream, e.Message);
                history.Violation($"errors: a batch for the new stream {stream} was answered {e.GetType().Name}: {e.Message}");
                return;
            }

            await Task.Delay(Pause);
        }

        NewEvent Event(int ordinal, string type, short schema, string data) =>
            new(EventId.Derive(command, stream, ordinal), type, schema, Encoding.UTF8.GetBytes(data), new EventMetadata(command).ToJson());
    }
}
