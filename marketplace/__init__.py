"""The marketplace: onboards organizations and nodes, posts for them, indexes the chain, shows."""
