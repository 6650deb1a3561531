using Orleans.EventSourced.IntegrationTests.Grains;
using Xunit;

namespace Orleans.EventSourced.IntegrationTests.Processes;

/// <summary>One node on SQLite, shared by the tests of a class. It adds no penalties: the fines of these tests lived years ago, and one that came in between would be dated behind what is still to be entered.</summary>
public abstract class SharedNode(params string[] settings) : IAsyncLifetime
{
    private readonly TestFolder _folder = new();

    public HostProcess Host { get; private set; } = null!;

    public async ValueTask InitializeAsync() => Host = await HostProcess.ServeAsync(_folder, null, settings: ["--Fines:AddsPenalties=false", .. settings]);

    public async ValueTask DisposeAsync()
    {
        await Host.DisposeAsync();
        _folder.Dispose();
        GC.SuppressFinalize(this);
    }
}
