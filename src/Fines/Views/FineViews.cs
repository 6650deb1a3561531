using System.Text.Json.Serialization;
using Orleans.EventSourced.Core.History;
using Orleans.EventSourced.Core.Projections;
using Orleans.EventSourced.Hosting;

namespace Fines.Views;

/// <summary>The views of the example.</summary>
public static class FineViews
{
    private static readonly Projection<OpenCase> Cases = Projection.Of<OpenCase, FineEvent, OpenCase.Case>(FineViewsJson.Default.Options);
    private static readonly Projection<PenaltyDue> Penalties = Projection.Of<PenaltyDue, FineEvent, PenaltyDue.Matter>(FineViewsJson.Default.Options);

    /// <summary>View <c>fine_summary</c>.</summary>
    public static Projection<FineSummary> Summary { get; } = Projection.Of<FineSummary, FineEvent>();

    /// <summary>View <c>article_totals</c>.</summary>
    public static Projection<ArticleTotals> Articles { get; } = Projection.Of<ArticleTotals, FineEvent, FineAccount>(FineViewsJson.Default.Options);

    /// <summary>View <c>officer_month</c>.</summary>
    public static Projection<OfficerMonth> Officers { get; } = Projection.Of<OfficerMonth, FineEvent, FineAccount>(FineViewsJson.Default.Options);

    /// <summary>What compares each of them with the log.</summary>
    public static IReadOnlyList<ViewVerification> Verifications { get; } =
        [ViewVerification.Of(Summary), ViewVerification.Of(Articles), ViewVerification.Of(Officers), ViewVerification.Of(Cases), ViewVerification.Of(Penalties)];

    /// <summary>Adds all of them to a silo.</summary>
    /// <param name="silo">The silo builder.</param>
    /// <param name="slices">Into how many shares the rows of each are divided.</param>
    public static ISiloBuilder AddFineViews(this ISiloBuilder silo, int slices = 1) =>
        silo.AddView(Summary, slices).AddView(Articles, slices).AddView(Officers, slices).AddView(Cases, slices).AddView(Penalties, slices);
}

/// <summary>How routes are kept; generated at build time, because every event writes one.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(FineAccount))]
[JsonSerializable(typeof(OpenCase.Case))]
[JsonSerializable(typeof(PenaltyDue.Matter))]
internal sealed partial class FineViewsJson : JsonSerializerContext;
