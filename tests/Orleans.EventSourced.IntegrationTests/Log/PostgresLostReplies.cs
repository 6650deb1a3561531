using System.Net.Sockets;
using Microsoft.Extensions.Logging.Abstractions;
using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.IntegrationTests.Servers;
using Orleans.EventSourced.Postgres;
using Orleans.EventSourced.Testing.Faults;
using Xunit;

namespace Orleans.EventSourced.IntegrationTests.Log;

/// <summary>The connection is reset while an append is under way: the request went out, the reply does not come.</summary>
public sealed class PostgresLostReplies(PostgresFixture postgres) : IAsyncLifetime
{
    private PostgresEventLog _direct = null!;
    private FaultProxy _proxy = null!;
    private PostgresEventLog _log = null!;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        var options = await PostgresConformance.MigratedAsync(postgres);
        _direct = new PostgresEventLog(options);
        _proxy = ProxiedServer.Before(options.ConnectionString);
        _log = new PostgresEventLog(new PostgresOptions { ConnectionString = _proxy.Through(options.ConnectionString) });

        // One open connection: what goes through the proxy next is an append and not the beginning of a session.
        await _log.AppendAsync([Requests.One("t/first")], Cancel);
    }

    public async ValueTask DisposeAsync()
    {
        await _log.DisposeAsync();
        await _proxy.DisposeAsync();
        await _direct.DisposeAsync();
    }

    [Fact]
    public async Task an_append_whose_reply_was_cut_off_is_in_doubt_and_sent_again_gets_the_first_answer()
    {
        var request = Requests.Of("t/a", 3);
        _ = _proxy.CutOnce(ProxiedServer.BeforeReply, Cancel);

        var doubt = await Assert.ThrowsAsync<LogOutcomeUnknownException>(() => _log.AppendAsync([request], Cancel));
        Assert.Equal(SocketError.ConnectionReset, Assert.IsType<SocketException>(doubt.GetBaseException()).SocketErrorCode);
        Assert.Equal(1, _proxy.Resets);

        var written = await ReadAsync("t/a");
        Assert.Equal(request.Events.Select(e => e.Id), written.Select(e => e.Id));
        var first = new AppendOutcome.Duplicate(new StreamVersion(3), new LogPosition(4), written[2].RecordedAt);
        Assert.Equal([first], await _log.AppendAsync([request], Cancel));
        Assert.Equal([first], await _log.AppendAsync([request], Cancel));
        Assert.Equal(new LogPosition(4), (await _direct.ReadHeadAsync(Cancel)).Position);
    }

    [Fact]
    public async Task an_append_cut_off_behind_the_request_is_written_once_whether_the_server_has_read_it_or_not()
    {
        for (var round = 1; round <= 60; round++)
        {
            var request = Requests.One("t/a", Requests.At(round - 1));
            _ = _proxy.CutOnce(ProxiedServer.AfterRequest, Cancel);
            await Assert.ThrowsAsync<LogOutcomeUnknownException>(() => _log.AppendAsync([request], Cancel));
            var outcome = await SendAgainAsync(request);

            var written = await ReadAsync("t/a");
            Assert.Equal(round, written.Count);
            var last = written[^1];
            Assert.Equal(request.Events[0].Id, last.Id);
            Assert.Equal((last.Version, last.Position, last.RecordedAt), outcome switch
            {
                AppendOutcome.Appended a => (a.Version, a.Position, a.RecordedAt),
                AppendOutcome.Duplicate d => (d.Version, d.Position, d.RecordedAt),
                _ => throw new InvalidOperationException($"{outcome} was not expected."),
            });
        }

        Assert.Equal((60, 61L), (_proxy.Resets, (await _direct.ReadHeadAsync(Cancel)).Position.Value));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task group_commit_answers_its_caller_as_if_nothing_had_been_cut_off(bool isAfterRequest)
    {
        await using var group = new GroupCommit(_log, new GroupCommitOptions { RetryDelay = TimeSpan.FromMilliseconds(10) }, TimeProvider.System, NullLogger<GroupCommit>.Instance);
        _ = _proxy.CutOnce(isAfterRequest ? ProxiedServer.AfterRequest : ProxiedServer.BeforeReply, Cancel);

        var outcome = await group.AppendAsync(Requests.One("t/a"));

        var written = Assert.Single(await ReadAsync("t/a"));
        Assert.Equal(1, _proxy.Resets);
        Assert.Contains(
            outcome,
            (AppendOutcome[])[new AppendOutcome.Appended(written.Version, written.Position, written.RecordedAt), new AppendOutcome.Duplicate(written.Version, written.Position, written.RecordedAt)]);
    }

    private async Task<IReadOnlyList<RecordedEvent>> ReadAsync(string stream) =>
        (await _direct.ReadStreamsAsync([new StreamRead(new StreamId(stream), StreamVersion.None, 1_000)], Cancel))[0];

    private async Task<AppendOutcome> SendAgainAsync(AppendRequest request)
    {
        while (true)
        {
            try
            {
                return Assert.Single(await _log.AppendAsync([request], Cancel));
            }
            catch (LogRaceException)
            {
                // The first try was still under way and won.
            }
        }
    }
}
