"""What parties decide once they have agreed: amendments, motions, leaving, wallets."""
