"""Programs for developers: demo, benchmarks, artifacts."""
