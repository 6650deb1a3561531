using Orleans.EventSourced.Core.Log;

namespace Orleans.EventSourced.Core.Projections;

/// <summary>What an edition of a view's table is there for.</summary>
public enum ViewRole
{
    /// <summary>Queries read it, and the projection keeps it up to the log.</summary>
    Live,

    /// <summary>It is folded anew beside the live one, to take its place.</summary>
    Building,

    /// <summary>It was live before. Nothing changes it any more, until it is built on or dropped.</summary>
    Retired,
}

/// <summary>One table of a version of a view. There is one in each role at most.</summary>
/// <param name="Number">1 or more, never used again for this version: the first is <c>name_v1</c> in SQL, the second <c>name_v1_e2</c>.</param>
/// <param name="Role">What it is there for; null: it is gone.</param>
/// <param name="BegunAt">When it was made, by the store's clock.</param>
/// <param name="Reason">Why it was made.</param>
/// <param name="Actor">Who had it made; null: not known, or the program itself.</param>
public sealed record ViewEdition(int Number, ViewRole? Role, DateTimeOffset BegunAt, string Reason, string? Actor)
{
    /// <summary>The most editions of one version: the number is part of the table's name.</summary>
    public const int MaxNumber = 9_999;

    /// <summary>Why the first one is made, and the next one after a version was dropped.</summary>
    public const string FirstReason = "there was none";

    /// <summary>The most characters of reason and actor.</summary>
    public const int MaxText = SkippedEvent.MaxText;

    /// <summary>The name of an edition's table.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The number is not 1 to <see cref="MaxNumber"/>.</exception>
    public static string TableOf(ViewId view, int number)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(number, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(number, MaxNumber);
        return number == 1 ? view.Table : string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{view.Table}_e{number}");
    }

    /// <summary>Refuses what no store keeps.</summary>
    /// <exception cref="ArgumentException">The reason or the actor is empty, longer than <see cref="MaxText"/>, or holds NUL.</exception>
    public static void Check(string reason, string? actor) => SkippedEvent.CheckText(reason, actor);

    /// <summary>A role, as stores keep it; it does not change with the names in this program.</summary>
    public static string NameOf(ViewRole role) => role switch
    {
        ViewRole.Live => "live",
        ViewRole.Building => "building",
        ViewRole.Retired => "retired",
        _ => throw new ArgumentOutOfRangeException(nameof(role), role, "No such role."),
    };

    /// <summary>The role of a name that <see cref="NameOf"/> gave.</summary>
    /// <exception cref="ArgumentException">It is no such name.</exception>
    public static ViewRole RoleOf(string name) => Enum.GetValues<ViewRole>().Where(r => NameOf(r) == name).Select(r => (ViewRole?)r).FirstOrDefault()
        ?? throw new ArgumentException($"'{name}' is no role of a table.", nameof(name));
}

/// <summary>
/// Blue and green: the tables of one version of a view. A new one is filled beside the live one, by a runner of its own, and takes its place in one transaction, when it is at least as far. Readers and
/// runners need not be told: each of their statements says which edition it means. Safe for concurrent use; each call happens wholly or not at all.
/// </summary>
public interface IViewEditions
{
    /// <summary>All that were made of this version, by number; those that are gone too.</summary>
    /// <exception cref="LogUnavailableException">The store could not answer.</exception>
    Task<IReadOnlyList<ViewEdition>> ListAsync(CancellationToken cancellationToken);

    /// <summary>Makes an empty table beside the live one, with a checkpoint at 0 for each slice, and drops the retired one. Null: one is being built already.</summary>
    /// <param name="slices">Into how many slices it is divided: as many as the live one.</param>
    /// <param name="reason">Why: 1 to <see cref="ViewEdition.MaxText"/> characters.</param>
    /// <param name="actor">Who says so; null: not known.</param>
    /// <param name="cancellationToken">Ends the wait; the table may be there then.</param>
    /// <exception cref="ArgumentException">The reason is empty, or a text too long.</exception>
    /// <exception cref="LogRequestRefusedException">There is no live one yet, it is divided otherwise, or there were <see cref="ViewEdition.MaxNumber"/> already.</exception>
    /// <exception cref="LogUnavailableException">Made or not: list them and see.</exception>
    Task<ViewEdition?> BeginAsync(int slices, string reason, string? actor, CancellationToken cancellationToken);

    /// <summary>Makes the one being built the live one, if each of its slices is at least as far as the live one's and no row of it is parked; that one retires. Plain name and checkpoints follow in the same transaction.</summary>
    /// <param name="edition">Which one is meant: one that was begun since is not switched to.</param>
    /// <param name="cancellationToken">Ends the wait; it may have been switched to then.</param>
    /// <exception cref="LogUnavailableException">Switched or not: list them and see.</exception>
    Task<SwitchOutcome> SwitchAsync(int edition, CancellationToken cancellationToken);

    /// <summary>Drops the one being built; its runners find it gone. False: there is none.</summary>
    /// <exception cref="LogUnavailableException">Dropped or not: list them and see.</exception>
    Task<bool> CancelAsync(CancellationToken cancellationToken);

    /// <summary>Builds on with the retired one, from its own checkpoint, so that it can be switched to. False: there is none; the one that is begun after it has dropped it.</summary>
    /// <exception cref="LogUnavailableException">Done or not: list them and see.</exception>
    Task<bool> RevertAsync(CancellationToken cancellationToken);

    /// <summary>Drops the retired one. False: there is none.</summary>
    /// <exception cref="LogRequestRefusedException">Something outside hangs on it.</exception>
    /// <exception cref="LogUnavailableException">Dropped or not: list them and see.</exception>
    Task<bool> DropRetiredAsync(CancellationToken cancellationToken);

    /// <summary>Lets the view's plain name show this version, with the rights that were granted on it. False: it does already.</summary>
    /// <exception cref="LogRequestRefusedException">This version has no table, or something outside hangs on the plain name: it is named.</exception>
    /// <exception cref="LogUnavailableException">Done or not: read the checkpoints and see.</exception>
    Task<bool> ShowAsync(CancellationToken cancellationToken);
}

/// <summary>What an attempt to switch came to.</summary>
public abstract record SwitchOutcome
{
    private SwitchOutcome()
    {
    }

    /// <summary>The edition is live.</summary>
    /// <param name="Edition">Its number.</param>
    public sealed record Switched(int Edition) : SwitchOutcome;

    /// <summary>A slice is not as far as that of the live edition; nothing changed.</summary>
    /// <param name="Slice">Its number.</param>
    /// <param name="Position">Its checkpoint.</param>
    /// <param name="Live">The live one's.</param>
    public sealed record Behind(int Slice, LogPosition Position, LogPosition Live) : SwitchOutcome;

    /// <summary>Rows of the one being built are parked: what was answered from the live one would be ahead of them. Mend the fold or skip their events; nothing changed.</summary>
    /// <param name="Rows">How many.</param>
    public sealed record Parked(int Rows) : SwitchOutcome;

    /// <summary>Nothing is being built, or another table than was meant.</summary>
    public sealed record NothingBuilt : SwitchOutcome;

    /// <summary>What the checkpoints of the live table and of the one that is built say of a switch.</summary>
    /// <param name="edition">The table that is to be switched to.</param>
    /// <param name="checkpoints">Those of one version, whatever their roles.</param>
    /// <param name="parked">How many rows of the table that is built are parked.</param>
    public static SwitchOutcome Of(int edition, IReadOnlyCollection<(int Slice, ViewRole Role, int Edition, LogPosition Position)> checkpoints, int parked)
    {
        ArgumentNullException.ThrowIfNull(checkpoints);
        var built = checkpoints.Where(c => c.Role == ViewRole.Building && c.Edition == edition).ToDictionary(c => c.Slice);
        if (built.Count == 0)
        {
            return new NothingBuilt();
        }

        foreach (var live in checkpoints.Where(c => c.Role == ViewRole.Live).OrderBy(c => c.Slice))
        {
            if (built.GetValueOrDefault(live.Slice).Position is var reached && reached < live.Position)
            {
                return new Behind(live.Slice, reached, live.Position);
            }
        }

        return parked > 0 ? new Parked(parked) : new Switched(edition);
    }
}
