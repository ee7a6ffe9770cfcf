"""Merge rules, contribution measures and splits: numbers in, numbers out."""
