using System.Reflection;
using System.Reflection.Metadata;
using System.Reflection.PortableExecutable;
using Xunit;

namespace Orleans.EventSourced.UnitTests.Architecture;

/// <summary>Inheritance is a promise to strangers: it is made by the grain that users derive from, by conformance suites and by exceptions, and by nobody else.</summary>
public sealed class PublicTypeTests
{
    // Nobody derives from an application: the abstract record over its events, or commands, is enough of a union there.
    private const string Example = "Fines";

    private static readonly string[] MadeForInheriting = ["EventSourcedGrain`2"];

    public static TheoryData<string> Libraries => RoomReferenceTests.Libraries;

    [Theory]
    [MemberData(nameof(Libraries))]
    public void a_public_class_is_sealed_static_or_closed(string project)
    {
        var path = Repository.AssemblyOf(project);
        Assert.True(File.Exists(path), $"{path} is not there: build the solution in the configuration of these tests first.");
        using var file = new PEReader(File.OpenRead(path));
        var metadata = file.GetMetadataReader();
        foreach (var handle in metadata.TypeDefinitions)
        {
            var type = metadata.GetTypeDefinition(handle);
            if (IsVisible(metadata, type) && IsClass(type) && !IsGenerated(metadata, type) && !MayBeInherited(metadata, type, project))
            {
                Assert.Fail($"{project}: {NameOf(metadata, type)} is public and can be inherited; seal it, or make it an abstract record whose constructors are private.");
            }
        }
    }

    private static bool MayBeInherited(MetadataReader metadata, TypeDefinition type, string project)
    {
        var name = metadata.GetString(type.Name);
        return type.Attributes.HasFlag(TypeAttributes.Sealed)
            || MadeForInheriting.Contains(name)
            || name.Split('`')[0].EndsWith("Conformance", StringComparison.Ordinal)
            || name.EndsWith("Exception", StringComparison.Ordinal)
            || IsClosed(metadata, type)
            || (project == Example && type.Attributes.HasFlag(TypeAttributes.Abstract));
    }

    // A closed union: strangers reach no constructor. The copy constructor of a record is protected, but needs an instance of the record first.
    private static bool IsClosed(MetadataReader metadata, TypeDefinition type)
    {
        if (!type.Attributes.HasFlag(TypeAttributes.Abstract))
        {
            return false;
        }

        return type.GetMethods().Select(metadata.GetMethodDefinition)
            .Where(method => metadata.GetString(method.Name) == ".ctor")
            .All(method => IsPrivate(method.Attributes) || IsCopyConstructor(metadata, method));
    }

    private static bool IsPrivate(MethodAttributes attributes) =>
        (attributes & MethodAttributes.MemberAccessMask) is MethodAttributes.Private or MethodAttributes.Assembly or MethodAttributes.FamANDAssem;

    private static bool IsCopyConstructor(MetadataReader metadata, MethodDefinition method) =>
        method.GetCustomAttributes().Select(metadata.GetCustomAttribute).Any(attribute => AttributeName(metadata, attribute) == "CompilerGeneratedAttribute");

    private static bool IsClass(TypeDefinition type) =>
        (type.Attributes & TypeAttributes.ClassSemanticsMask) == TypeAttributes.Class && !type.BaseType.IsNil;

    private static bool IsVisible(MetadataReader metadata, TypeDefinition type) => (type.Attributes & TypeAttributes.VisibilityMask) switch
    {
        TypeAttributes.Public => true,
        TypeAttributes.NestedPublic => IsVisible(metadata, metadata.GetTypeDefinition(type.GetDeclaringType())),
        _ => false,
    };

    private static bool IsGenerated(MetadataReader metadata, TypeDefinition type) =>
        metadata.GetString(type.Namespace).StartsWith("OrleansCodeGen", StringComparison.Ordinal)
        || type.GetCustomAttributes().Select(metadata.GetCustomAttribute).Any(attribute => AttributeName(metadata, attribute) is "CompilerGeneratedAttribute" or "GeneratedCodeAttribute");

    private static string AttributeName(MetadataReader metadata, CustomAttribute attribute)
    {
        var type = attribute.Constructor.Kind == HandleKind.MemberReference
            ? metadata.GetMemberReference((MemberReferenceHandle)attribute.Constructor).Parent
            : metadata.GetMethodDefinition((MethodDefinitionHandle)attribute.Constructor).GetDeclaringType();
        return type.Kind switch
        {
            HandleKind.TypeReference => metadata.GetString(metadata.GetTypeReference((TypeReferenceHandle)type).Name),
            HandleKind.TypeDefinition => metadata.GetString(metadata.GetTypeDefinition((TypeDefinitionHandle)type).Name),
            _ => "",
        };
    }

    private static string NameOf(MetadataReader metadata, TypeDefinition type) => $"{metadata.GetString(type.Namespace)}.{metadata.GetString(type.Name)}";
}
