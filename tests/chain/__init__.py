"""Tests of the contracts' Python face, against a real anvil."""
