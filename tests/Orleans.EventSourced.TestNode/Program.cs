return await Orleans.EventSourced.TestNode.Node.ServeAsync(args);
