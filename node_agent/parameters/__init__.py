"""Parameter files: how a model's numbers are written, read and checked."""
