"""A statement as a table, for spreadsheets. The canonical JSON is what is signed and verified."""

from __future__ import annotations

import csv

from metering.statement.model import Cause, Line, Movement, Statement

COLUMNS = (
    "what",
    "block",
    "run",
    "round",
    "model",
    "metered_bips",
    "equal_bips",
    "size_bips",
    "vested_wei",
    "amount_wei",
    "account",
    "transaction",
)
"""One row for the opening balance, each round, each movement, each total, the closing balance."""


def to_csv(statement: Statement) -> str:
    """Return the statement as CSV (RFC 4180).

    Amounts are whole wei and positive for what the organization got; claims lower its balance and
    are negative. If there is a reference price, the last column has the amounts in that currency,
    and says that nothing is paid by it.
    """
    out = _Text()
    writer, reference = csv.writer(out), statement.reference
    priced = () if reference is None else (f"{reference.currency} (reference; not paid by)",)
    writer.writerow(COLUMNS + priced)
    for row in _rows(statement):
        amount_wei = row["amount_wei"]
        worth = () if reference is None else (reference.worth(int(amount_wei)),)
        writer.writerow([row.get(name, "") for name in COLUMNS] + list(worth))
    return "".join(out.pieces)


class _Text:
    """Where `csv` writes to, without a file."""

    def __init__(self) -> None:
        self.pieces: list[str] = []

    def write(self, text: str) -> None:
        self.pieces.append(text)


def _rows(statement: Statement) -> list[dict[str, str | int]]:
    sums = statement.totals
    ordered: list[Line | Movement] = [*statement.lines, *statement.movements]
    ordered.sort(key=lambda each: each.block)
    return [
        {"what": "opening balance", "amount_wei": statement.opening_wei},
        *(_round(each) if isinstance(each, Line) else _movement(each) for each in ordered),
        {"what": "total of rounds", "amount_wei": sums.credited_wei},
        {"what": "total of royalties", "amount_wei": sums.royalties_wei},
        {"what": "total of claims", "amount_wei": -sums.claimed_wei},
        {"what": "total of refunds (not in the balance)", "amount_wei": sums.refunded_wei},
        {"what": "closing balance", "amount_wei": statement.closing_wei},
    ]


def _round(line: Line) -> dict[str, str | int]:
    known = {name: getattr(line, name) for name in COLUMNS[1:] if hasattr(line, name)}
    return {"what": "round"} | {name: value for name, value in known.items() if value is not None}


def _movement(moved: Movement) -> dict[str, str | int]:
    sign = -1 if moved.cause in (Cause.CLAIM, Cause.ROYALTY_CLAIM) else 1
    return {
        "what": moved.cause.value,
        "block": moved.block,
        "run": moved.run,
        "amount_wei": sign * moved.amount_wei,
        "account": moved.account,
        "transaction": moved.transaction,
    }
