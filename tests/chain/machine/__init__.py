"""A pure model of the contracts, and a machine that plays the real ones against it."""
