namespace Fines;

/// <summary>A file is not the event log it should be. Everything before the line named was read well.</summary>
public sealed class XesFormatException : Exception
{
    /// <param name="file">The file, as it was named.</param>
    /// <param name="line">The line, from 1; 0 when it is not known.</param>
    /// <param name="reason">What is wrong there.</param>
    /// <param name="inner">The cause.</param>
    public XesFormatException(string file, int line, string reason, Exception? inner = null)
        : base($"{file}({line}): {reason}", inner)
    {
        File = file;
        Line = line;
        Reason = reason;
    }

    /// <summary>The file, as it was named.</summary>
    public string File { get; }

    /// <summary>The line, from 1; 0 when it is not known.</summary>
    public int Line { get; }

    /// <summary>What is wrong there.</summary>
    public string Reason { get; }
}
