using System.Text.RegularExpressions;
using Xunit;

namespace Orleans.EventSourced.UnitTests.Architecture;

/// <summary>The house rules that can be read from the source text. A message names the file and the rule.</summary>
public sealed partial class HouseRuleTests
{
    private const int LongestFile = 450;

    // Spelt in two parts, so that this file does not break the rules it states.
    private static readonly (string Words, string Rule)[] ForbiddenEverywhere =
    [
        ("DateTime." + "UtcNow", "the time comes from a TimeProvider"),
        ("DateTime." + "Now", "the time comes from a TimeProvider"),
        ("DateTime." + "Today", "the time comes from a TimeProvider"),
        ("DateTimeOffset." + "UtcNow", "the time comes from a TimeProvider"),
        ("DateTimeOffset." + "Now", "the time comes from a TimeProvider"),
        ("Thread." + "Sleep", "wait for a condition with a deadline"),
        ("GC." + "Collect", "memory is the runtime's business"),
        ("#" + "region", "split the file instead of folding it"),
        ("TO" + "DO", "code is whole when it is merged"),
        ("FIX" + "ME", "code is whole when it is merged"),
        ("RS" + "0030", "a banned symbol stays banned"),
    ];

    private static readonly (string Words, string Rule)[] ForbiddenInSource =
    [
        ("Guid." + "NewGuid", "ids come from commands, so that a retry has the same"),
        ("Environment." + "TickCount", "the time comes from a TimeProvider"),
        ("Stopwatch." + "StartNew", "the time comes from a TimeProvider"),
        ("async " + "void", "a failure nobody awaits is swallowed"),
    ];

    [Fact]
    public void no_file_folder_or_type_is_named_after_nothing()
    {
        foreach (var path in Repository.Sources)
        {
            foreach (var part in path.Split('/').Skip(1))
            {
                Assert.False(NamesNothing().IsMatch(part.Split('.')[0]) || NamesNothing().IsMatch(Path.GetFileNameWithoutExtension(part)), $"{path}: name '{part}' after what it holds, not Utils, Helpers, Common, Manager or Base.");
            }
        }

        foreach (var path in Repository.SourcesWith(".cs"))
        {
            foreach (var type in Repository.Lines(path).Select(line => TypeDeclaration().Match(line)).Where(match => match.Success).Select(match => match.Groups["name"].Value))
            {
                Assert.False(NamesNothing().IsMatch(type), $"{path}: name the type '{type}' after what it is, not Utils, Helpers, Common, Manager or Base.");
            }
        }
    }

    [Fact]
    public void no_file_is_about_gaps_in_the_log_because_there_are_none()
    {
        foreach (var path in Repository.Sources)
        {
            Assert.False(AboutGaps().IsMatch(Path.GetFileName(path)), $"{path}: positions have no gaps; nothing named Gap*, HighWater* or SafeWindow* is needed.");
        }
    }

    [Fact]
    public void a_namespace_is_the_project_and_the_folder()
    {
        foreach (var path in Repository.SourcesWith(".cs"))
        {
            var lines = Repository.Lines(path);
            var declared = lines.Select(line => NamespaceDeclaration().Match(line)).Where(match => match.Success).Select(match => match.Groups["name"].Value).ToList();
            var expected = string.Join('.', path.Split('/')[1..^1]);
            Assert.False(lines.Any(line => BlockNamespace().IsMatch(line)), $"{path}: the namespace is declared for the whole file: namespace {expected};");
            Assert.True(declared.Count <= 1 && declared.TrueForAll(name => name == expected), $"{path}: the namespace is {expected}, not {string.Join(", ", declared)}.");
            Assert.True(declared.Count == 1 || !lines.Any(line => TypeDeclaration().IsMatch(line) && !line.StartsWith(' ')) || Path.GetFileName(path) == "Program.cs", $"{path}: types need the namespace {expected}.");
        }
    }

    [Fact]
    public void a_file_can_be_read_in_one_go()
    {
        foreach (var path in Repository.SourcesWith(".cs").Concat(Repository.SourcesWith(".sql")))
        {
            var lines = Repository.Lines(path).Length;
            Assert.True(lines <= LongestFile, $"{path}: {lines} lines; split it by what the data does next, the longest file has {LongestFile}.");
        }
    }

    [Fact]
    public void clocks_sleeps_and_unfinished_work_are_not_in_the_source()
    {
        foreach (var path in Repository.SourcesWith(".cs"))
        {
            var forbidden = path.StartsWith("src/", StringComparison.Ordinal) ? ForbiddenEverywhere.Concat(ForbiddenInSource) : ForbiddenEverywhere;
            var lines = Repository.Lines(path);
            foreach (var (words, rule) in forbidden)
            {
                var found = Array.FindIndex(lines, line => line.Contains(words, StringComparison.Ordinal));
                Assert.True(found < 0, $"{path}({found + 1}): '{words}': {rule}.");
            }
        }
    }

    [GeneratedRegex("(^|[a-z0-9])(Utils?|Utilit(y|ies)|Helpers?|Common|Managers?|Base)$")]
    private static partial Regex NamesNothing();

    [GeneratedRegex("^(Gap|HighWater|SafeWindow)")]
    private static partial Regex AboutGaps();

    [GeneratedRegex(@"^namespace (?<name>[\w.]+);")]
    private static partial Regex NamespaceDeclaration();

    [GeneratedRegex(@"^namespace [\w.]+\s*\{?$")]
    private static partial Regex BlockNamespace();

    [GeneratedRegex(@"^\s*(?:(?:public|internal|private|protected|static|sealed|abstract|partial|readonly|ref|file|unsafe)\s+)*(?:class|interface|enum|struct|record(?:\s+(?:class|struct))?)\s+(?<name>[A-Za-z_]\w*)")]
    private static partial Regex TypeDeclaration();
}
