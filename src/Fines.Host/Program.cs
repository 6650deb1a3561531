using Fines.Host;

return Verbs.Names.Contains(args.FirstOrDefault() ?? "") ? await Verbs.RunAsync(args) : await Node.ServeAsync(args);
