"""Nodes: how they get in, what the chain says about them, and what they say about themselves."""
