using System.Reflection;
using Microsoft.Extensions.Options;
using Orleans.Configuration;
using Orleans.EventSourcing;

namespace Orleans.EventSourced.Hosting;

/// <summary>Refuses to start with a journaled grain whose streams would be named after its class.</summary>
internal sealed class JournaledGrains(IOptions<GrainTypeOptions> types) : IConfigurationValidator
{
    public static bool IsJournaled(Type type)
    {
        for (var t = type; t is not null; t = t.BaseType)
        {
            if (t.IsGenericType && t.GetGenericTypeDefinition() == typeof(JournaledGrain<,>))
            {
                return true;
            }
        }

        return false;
    }

    public void ValidateConfiguration()
    {
        var unnamed = types.Value.Classes.Where(t => !t.IsAbstract && IsJournaled(t) && t.GetCustomAttribute<GrainTypeAttribute>(false) is null).Select(t => t.FullName).ToList();
        if (unnamed.Count > 0)
        {
            throw new OrleansConfigurationException($"These journaled grains need [GrainType(\"name\")], because streams are named after the grain type and outlive the names of classes: {string.Join(", ", unnamed)}.");
        }
    }
}
