"""Runs: created through the outbox, shown from the index."""
