using Microsoft.Extensions.DependencyInjection;
using Orleans.EventSourced.Grains;
using Orleans.EventSourced.IntegrationTests.Grains;
using Orleans.EventSourced.IntegrationTests.Servers;
using Xunit;

namespace Orleans.EventSourced.IntegrationTests.Docs;

/// <summary>The example of the README is this project's own code: it is compiled, it runs, and the README shows it word for word.</summary>
public sealed class ReadmeExampleTests
{
    private const int MaxLines = 40;

    [Fact]
    public async Task the_example_of_the_readme_keeps_its_balance_over_a_restart()
    {
        using var folder = new TestFolder();
        using (var node = AccountNode.Build(folder.Database, LoopbackPort.Free(), LoopbackPort.Free()))
        {
            await node.StartAsync(TestContext.Current.CancellationToken);
            var account = node.Services.GetRequiredService<IGrainFactory>().GetGrain<IAccountGrain>("anna");

            var deposited = Assert.IsType<Accepted<BalanceChanged>>(await account.ExecuteAsync(new ChangeBalance(100)));
            var withdrawn = Assert.IsType<Accepted<BalanceChanged>>(await account.ExecuteAsync(new ChangeBalance(-30)));
            var refused = Assert.IsType<Rejected<BalanceChanged>>(await account.ExecuteAsync(new ChangeBalance(-71)));

            Assert.Equal((1, 1L), (deposited.Version, deposited.Position));
            Assert.Equal((2, 2L), (withdrawn.Version, withdrawn.Position));
            Assert.Equal([new BalanceChanged(-30)], withdrawn.Events);
            Assert.Equal(("overdrawn", "The account holds 70."), (refused.Code, refused.Reason));
            await node.StopAsync(TestContext.Current.CancellationToken);
        }

        using var again = AccountNode.Build(folder.Database, LoopbackPort.Free(), LoopbackPort.Free());
        await again.StartAsync(TestContext.Current.CancellationToken);
        Assert.Equal(70, await again.Services.GetRequiredService<IGrainFactory>().GetGrain<IAccountGrain>("anna").GetBalanceAsync());
        await again.StopAsync(TestContext.Current.CancellationToken);
    }

    [Fact]
    public void the_readme_shows_the_example_as_it_is_compiled()
    {
        var root = FolderOfTheSolution();
        var compiled = File.ReadAllLines(Path.Combine(root, "tests/Orleans.EventSourced.IntegrationTests/Docs/ReadmeExample.cs"));
        var readme = File.ReadAllLines(Path.Combine(root, "README.md"));

        // All but the namespace, which is the test project's, and the empty line behind it.
        var at = Array.FindIndex(compiled, line => line.StartsWith("namespace ", StringComparison.Ordinal));
        string[] expected = [.. compiled[..at], .. compiled[(at + 2)..]];
        var begin = Array.IndexOf(readme, expected[0]);
        Assert.True(begin > 0 && readme[begin - 1] == "```csharp", $"README.md has no C# block that begins with '{expected[0]}'.");
        Assert.Equal(expected, readme[begin..Array.IndexOf(readme, "```", begin)]);
        Assert.True(expected.Length <= MaxLines, $"The example has {expected.Length} lines; the README says {MaxLines}.");
    }

    [Fact]
    public void the_page_on_testing_shows_its_examples_as_they_are_compiled()
    {
        var root = FolderOfTheSolution();
        string[] files = ["tests/Orleans.EventSourced.IntegrationTests/Docs/TestingExamples.cs", "tests/Orleans.EventSourced.UnitTests/Log/InMemoryEventLogConformance.cs"];
        var compiled = files.Select(f => string.Join('\n', File.ReadAllLines(Path.Combine(root, f)).Select(l => l.Trim()))).ToList();
        var page = File.ReadAllText(Path.Combine(root, "docs/testing.md")).Split("```csharp\n").Skip(1).Select(b => b[..b.IndexOf("\n```", StringComparison.Ordinal)]).ToList();
        Assert.True(page.Count >= 10, $"{page.Count} C# blocks");
        foreach (var block in page)
        {
            var lines = string.Join('\n', block.Split('\n').Select(l => l.Trim()));
            Assert.True(compiled.Any(c => c.Contains(lines, StringComparison.Ordinal)), $"docs/testing.md shows what is not compiled:\n{block}");
        }
    }

    private static string FolderOfTheSolution()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "Orleans.EventSourced.sln")))
        {
            folder = folder.Parent;
        }

        return folder?.FullName ?? throw new InvalidOperationException($"No Orleans.EventSourced.sln above {AppContext.BaseDirectory}.");
    }
}
