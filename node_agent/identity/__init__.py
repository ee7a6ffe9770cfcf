"""Who this node is towards others: SVIDs from three kinds of sources, TLS, and the node key."""
