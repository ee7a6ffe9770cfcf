"""The node agent: a daemon at each site, and the callback inside its training script."""
