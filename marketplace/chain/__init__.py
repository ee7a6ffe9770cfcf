"""The marketplace's two ways to the chain: the outbox writes, the indexer reads."""
