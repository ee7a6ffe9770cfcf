"""Rules that make one model of many updates."""
