"""Results tables: each site alone, swarm and pooled, on real data."""
