"""`swarm-market`: the command line of the marketplace."""

from __future__ import annotations

from marketplace.cli.main import main

__all__ = ["main"]
