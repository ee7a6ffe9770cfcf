"""The round engine: what a node does from the opening of a round to its seal.

``leader``, ``rosters``, ``book`` and ``rows`` are the pure rules; ``round`` plays one round with
them; ``engine`` goes from round to round as the chain opens them; ``chain`` and ``store`` are the
adapters to the ledger and to the disk.
"""
