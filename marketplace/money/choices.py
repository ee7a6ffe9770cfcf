"""The periods that a page offers: the present one and the last one of each length."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

_MONTHS: Final = 12


def periods(now_s: int) -> list[tuple[str, str]]:
    """Periods as `parse_span` reads them, each with its label; times are UTC."""
    now = datetime.fromtimestamp(now_s, UTC)
    month, quarter = now.year * _MONTHS + now.month - 1, now.year * 4 + (now.month - 1) // 3
    return [
        ("all", "Everything"),
        (_month(month), f"This month, {_month(month)}"),
        (_month(month - 1), f"Last month, {_month(month - 1)}"),
        (_quarter(quarter), f"This quarter, {_quarter(quarter)}"),
        (_quarter(quarter - 1), f"Last quarter, {_quarter(quarter - 1)}"),
        (str(now.year), f"This year, {now.year}"),
        (str(now.year - 1), f"Last year, {now.year - 1}"),
    ]


def _month(number: int) -> str:
    return f"{number // _MONTHS}-{number % _MONTHS + 1:02d}"


def _quarter(number: int) -> str:
    return f"{number // 4}-Q{number % 4 + 1}"
