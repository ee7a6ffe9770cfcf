"""Plain training scripts: docs/frameworks.md turns each into a swarm script by a few lines."""
