using System.Text.Json.Serialization;
using Orleans.EventSourced.Core.Projections;
using Orleans.EventSourced.Hosting;

namespace Fines.Views;

/// <summary>The views of the example.</summary>
public static class FineViews
{
    /// <summary>View <c>fine_summary</c>.</summary>
    public static Projection<FineSummary> Summary { get; } = Projection.Of<FineSummary, FineEvent>();

    /// <summary>View <c>article_totals</c>.</summary>
    public static Projection<ArticleTotals> Articles { get; } = Projection.Of<ArticleTotals, FineEvent, FineAccount>(FineViewsJson.Default.Options);

    /// <summary>View <c>officer_month</c>.</summary>
    public static Projection<OfficerMonth> Officers { get; } = Projection.Of<OfficerMonth, FineEvent, FineAccount>(FineViewsJson.Default.Options);

    /// <summary>Adds all of them to a silo.</summary>
    /// <param name="silo">The silo builder.</param>
    /// <param name="slices">Into how many shares the rows of each are divided.</param>
    public static ISiloBuilder AddFineViews(this ISiloBuilder silo, int slices = 1) => silo
        .AddView(Summary, slices)
        .AddView(Articles, slices)
        .AddView(Officers, slices)
        .AddView(Projection.Of<OpenCase, FineEvent, OpenCase.Case>(FineViewsJson.Default.Options), slices)
        .AddView(Projection.Of<PenaltyDue, FineEvent, PenaltyDue.Matter>(FineViewsJson.Default.Options), slices);
}

/// <summary>How routes are kept; generated at build time, because every event writes one.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(FineAccount))]
[JsonSerializable(typeof(OpenCase.Case))]
[JsonSerializable(typeof(PenaltyDue.Matter))]
internal sealed partial class FineViewsJson : JsonSerializerContext;
