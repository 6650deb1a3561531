namespace Fines;

/// <summary>
/// Makes fines with the proportions of the real log, for people who have no file. The same seed makes the same fines. The proportions (which steps follow each other how often, common amounts, articles,
/// vehicle classes) were counted in "Road Traffic Fine Management Process", de Leoni and Mannhardt, 2015, doi 10.4121/uuid:270fd440-1057-4fb9-89a9-b699b47990f5.
/// </summary>
public static class FineGenerator
{
    /// <summary>
    /// The lives that fines have, with how many of the 150,370 fines have each; together 99 of 100. A letter is a step: C create, S send, N notification, A penalty, P payment,
    /// K credit collection, D date of an appeal to the prefecture, F its sending, R its result, O notice of the result, J appeal to a judge.
    /// </summary>
    private static readonly (string Steps, int Count)[] Lives =
    [
        ("CSNAK", 56_482), ("CP", 46_371), ("CS", 20_385), ("CSNAP", 9_520), ("CSNAPP", 3_736), ("CSNPAP", 3_301), ("CSP", 3_131), ("CSNDAF", 2_497), ("CSNAPK", 1_515), ("CSNPAK", 522),
        ("CSNADF", 443), ("CPS", 362), ("CSNDAFROP", 139), ("CSNJAP", 135), ("CSDF", 126), ("CSNDFAROP", 114), ("CSNJAK", 108), ("CPSNAP", 89), ("CSNDAFROK", 88), ("CSNDFAROK", 81),
    ];

    private static readonly (decimal Amount, int Count)[] Amounts = [(35.00m, 25_363), (36.00m, 19_160), (33.60m, 17_493), (38.00m, 14_739), (31.30m, 11_188), (32.80m, 9_299), (32.00m, 8_861), (39.00m, 7_817), (24.00m, 3_365)];

    private static readonly (decimal Expense, int Count)[] Postage = [(13.50m, 18_633), (11.00m, 18_298), (10.00m, 10_368), (13.00m, 9_127), (6.71m, 8_498), (15.00m, 6_829), (6.46m, 4_981)];

    private static readonly (int Article, int Count)[] Articles = [(157, 68_074), (7, 42_849), (158, 26_990), (142, 5_766), (181, 1_319), (180, 1_134)];

    private static readonly (string Class, int Count)[] VehicleClasses = [("A", 146_712), ("C", 2_456), ("M", 1_198)];

    private static readonly DateTimeOffset First = new(2000, 1, 1, 0, 0, 0, TimeSpan.FromHours(1));

    /// <summary>Fines G1, G2, ... each with its life.</summary>
    /// <param name="count">How many, 0 or more.</param>
    /// <param name="seed">The same seed makes the same fines.</param>
    public static IEnumerable<FineTrace> Generate(int count, int seed = 1)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        return Enumerable.Range(1, count).Select(n => Fine(n, new Random(HashCode(seed, n))));
    }

    // System.HashCode differs from process to process.
    private static int HashCode(int seed, int n) => unchecked((seed * 486_187_739) ^ (n * 16_777_619));

    private static FineTrace Fine(int number, Random random)
    {
        var steps = Pick(Lives, random);
        var amount = Pick(Amounts, random);
        var expense = Pick(Postage, random);
        var due = amount;
        var payments = steps.Count(s => s == 'P');
        var at = First.AddDays(random.Next(0, 4_800));
        var commands = new List<FineStep>(steps.Length);
        foreach (var step in steps)
        {
            FineCommand command = step switch
            {
                'C' => new IssueFine(at, amount, Pick(Articles, random), 0, Pick(VehicleClasses, random), $"{random.Next(537, 684)}", "NIL"),
                'S' => new SendFine(at, expense),
                'N' => new InsertNotification(at, random.Next(100) < 98 ? "P" : "C", random.Next(100) < 80 ? "P" : null),
                'A' => new AddPenalty(at, due = amount * 2),
                'P' => new RegisterPayment(at, decimal.Round((due + (steps.Contains('S', StringComparison.Ordinal) ? expense : 0)) / payments, 2)),
                'K' => new SendToCreditCollection(at),
                'D' => new DatePrefectureAppeal(at),
                'F' => new SendPrefectureAppeal(at, "NIL"),
                'R' => new ReceivePrefectureResult(at),
                'O' => new NotifyPrefectureResult(at),
                'J' => new AppealToJudge(at, "NIL", null, null),
                _ => throw new InvalidOperationException($"'{step}' is no step."),
            };
            commands.Add(new FineStep(command, 0));
            at = at.AddDays(step == 'A' ? random.Next(30, 700) : random.Next(1, 120));
        }

        return new FineTrace($"G{number}", commands);
    }

    private static T Pick<T>((T Value, int Count)[] weighted, Random random)
    {
        var at = random.Next(weighted.Sum(w => w.Count));
        foreach (var (value, count) in weighted)
        {
            at -= count;
            if (at < 0)
            {
                return value;
            }
        }

        throw new InvalidOperationException("The weights do not add up.");
    }
}
