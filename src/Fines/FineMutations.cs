using Orleans.EventSourced.Hosting;

namespace Fines;

/// <summary>What a client may ask for through its session.</summary>
public static class FineMutations
{
    /// <summary>Adds all commands of a fine.</summary>
    /// <param name="silo">The silo builder.</param>
    public static ISiloBuilder AddFineMutations(this ISiloBuilder silo)
    {
        Add<IssueFine>(silo, "issue-fine");
        Add<SendFine>(silo, "send-fine");
        Add<InsertNotification>(silo, "insert-notification");
        Add<AddPenalty>(silo, "add-penalty");
        Add<RegisterPayment>(silo, "register-payment");
        Add<DatePrefectureAppeal>(silo, "date-prefecture-appeal");
        Add<SendPrefectureAppeal>(silo, "send-prefecture-appeal");
        Add<ReceivePrefectureResult>(silo, "receive-prefecture-result");
        Add<NotifyPrefectureResult>(silo, "notify-prefecture-result");
        Add<AppealToJudge>(silo, "appeal-to-judge");
        Add<SendToCreditCollection>(silo, "send-to-credit-collection");
        return silo;
    }

    private static void Add<TCommand>(ISiloBuilder silo, string name)
        where TCommand : FineCommand =>
        silo.AddMutation<TCommand, FineEvent>(name, "fine", static (grains, id, command) => grains.GetGrain<IFineGrain>(id).ExecuteAsync(command));
}
