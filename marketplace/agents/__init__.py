"""The listener for nodes: TLS with client certificates."""
