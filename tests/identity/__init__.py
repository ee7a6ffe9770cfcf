"""SVIDs and TLS."""
