"""Node to node: signed messages and parameter files over mutual TLS."""
