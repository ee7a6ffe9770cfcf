"""Who changed what, when: a chain of hashes, anchored on chain."""
