"""What commands print: for people, or JSON. Data on stdout, everything else on stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any

from marketplace.errors import MarketError


def show(data: Any, as_json: bool, *lines: str) -> None:
    """Prints the data as JSON, or the lines made of it."""
    print(json.dumps(data, indent=2) if as_json else "\n".join(lines))


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Columns of text, as wide as their widest cell."""
    cells = [list(head), *([str(cell) for cell in row] for row in rows)]
    widths = [max(len(row[n]) for row in cells) for n in range(len(head))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    )


def note(text: str) -> None:
    """Something for the reader that is no data."""
    print(text, file=sys.stderr)


def complain(error: MarketError, as_json: bool) -> None:
    """Prints an error and its hint on stderr."""
    if as_json:
        problem = {"error": error.code, "detail": str(error), "hint": error.hint}
        print(json.dumps(problem), file=sys.stderr)
        return
    print(f"error: {error}", file=sys.stderr)
    if error.hint:
        print(f"hint: {error.hint}", file=sys.stderr)
