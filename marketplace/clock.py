"""The one place that asks what time it is."""

from __future__ import annotations

import time
from datetime import UTC, datetime


def now_s() -> int:
    """Unix time in whole seconds."""
    return int(time.time())


def iso(unix_s: int) -> str:
    """`2026-11-22T15:42:00Z`"""
    return datetime.fromtimestamp(unix_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
