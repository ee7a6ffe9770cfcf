"""A statement as a PDF, to print and to file. The JSON is what is signed; the paper names its hash.

The same statement gives the same bytes: dates are those of the period, not of the printing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

from fpdf import FPDF
from fpdf.enums import XPos, YPos

from marketplace.clock import iso
from marketplace.money.envelope import Envelope
from metering.statement import Line, Movement, Statement

_INK: Final = (28, 32, 38)
_SOFT: Final = (104, 112, 122)
_RULE: Final = (208, 213, 219)
_SHADE: Final = (245, 247, 249)
_ACCENT: Final = (11, 92, 122)
_MARGIN_MM: Final = 16.0
_BIPS_A_PERCENT: Final = 100
_WEI_DECIMALS: Final = 18
# Column: title, width in mm, alignment. Together as wide as the page between its margins.
_COLUMNS: Final = (
    ("Round", 14.0, "R"),
    ("Block", 17.0, "R"),
    ("Metered", 18.0, "R"),
    ("Equal", 16.0, "R"),
    ("Size", 16.0, "R"),
    ("Vested, wei", 48.0, "R"),
    ("Credited, wei", 49.0, "R"),
)
_CAUSES: Final = {
    "claim": "Rewards paid out",
    "royalty": "License sold: your part",
    "royalty-claim": "Royalties paid out",
    "refund": "Returned to you as sponsor",
}


def to_pdf(envelope: Envelope, run_names: Mapping[str, str]) -> bytes:
    """Prints a signed statement.

    Args:
        envelope: the statement.
        run_names: run to the name that people know it by.
    """
    paper = _Paper(envelope)
    paper.add_page()
    _head(paper, envelope)
    _summary(paper, envelope.statement)
    _rounds(paper, envelope.statement, run_names)
    _movements(paper, envelope.statement.movements, run_names)
    _foot(paper, envelope)
    return bytes(paper.output())


class _Paper(FPDF):
    """A4 with a line at the foot of each page that says of which file it is the picture."""

    def __init__(self, envelope: Envelope) -> None:
        super().__init__(format="A4")
        statement = envelope.statement
        self._sha256 = envelope.sha256()
        self.set_margins(_MARGIN_MM, _MARGIN_MM, _MARGIN_MM)
        self.set_auto_page_break(True, 20)
        self.set_title(f"Statement of {statement.organization}")
        self.set_creation_date(datetime.fromtimestamp(statement.period.ends_s, UTC))
        self.set_creator("swarm-market")
        self.alias_nb_pages()

    def footer(self) -> None:
        self.set_y(-14)
        self.ink(_SOFT, 6.5)
        self.cell(0, 4, f"SHA-256 of the statement's file: {self._sha256}", align="L")
        self.set_x(_MARGIN_MM)
        self.cell(0, 4, f"{self.page_no()} / {{nb}}", align="R")

    def ink(self, color: tuple[int, int, int], size: float, style: str = "") -> None:
        self.set_text_color(*color)
        self.set_font("Helvetica", style, size)

    def mono(self, color: tuple[int, int, int], size: float) -> None:
        self.set_text_color(*color)
        self.set_font("Courier", "", size)

    def text_line(self, text: str, height: float = 5.0) -> None:
        self.cell(0, height, text, new_x=XPos.LMARGIN, new_y=YPos.NEXT)

    def rule(self) -> None:
        self.set_draw_color(*_RULE)
        self.set_line_width(0.2)
        self.line(self.l_margin, self.get_y(), self.w - self.r_margin, self.get_y())

    def heading(self, text: str) -> None:
        if self.get_y() > self.h - 55:
            self.add_page()
        self.ln(5)
        self.ink(_ACCENT, 11, "B")
        self.text_line(text, 7)


def _head(paper: _Paper, envelope: Envelope) -> None:
    statement, period = envelope.statement, envelope.statement.period
    paper.ink(_SOFT, 8)
    paper.text_line("SWARM LEARNING  -  STATEMENT OF REWARDS", 5)
    paper.ink(_INK, 20, "B")
    paper.text_line(statement.organization, 11)
    paper.ink(_INK, 9.5)
    begins = iso(period.begins_s) if period.begins_s else "the first block"
    paper.text_line(f"from {begins} until before {iso(period.ends_s)}")
    paper.ink(_SOFT, 7.5)
    paper.text_line(f"wallet {envelope.wallet}", 4)
    paper.text_line(
        f"chain {statement.chain_id}, escrow in {statement.contract}, "
        f"blocks {period.first_block} to {period.last_block}",
        4,
    )
    paper.ln(4)


def _summary(paper: _Paper, statement: Statement) -> None:
    sums = statement.totals
    rows = [
        ("Due at the beginning", statement.opening_wei),
        (f"Credited for {_count(statement)}", sums.credited_wei),
        ("Royalties", sums.royalties_wei),
        ("Paid out", -sums.claimed_wei),
    ]
    for title, wei in rows:
        _summary_row(paper, statement, title, wei)
    paper.rule()
    paper.set_fill_color(*_SHADE)
    _summary_row(paper, statement, "Due at the end, to be claimed", statement.closing_wei, True)
    if sums.refunded_wei:
        paper.ink(_SOFT, 7.5)
        paper.text_line(
            f"Beside this, {tokens(sums.refunded_wei)} tokens came back to a wallet of yours from "
            "pools that it sponsored.",
            5,
        )
    if statement.reference is not None:
        reference = statement.reference
        paper.ink(_SOFT, 7.5)
        paper.text_line(
            f"{reference.currency}: at {reference.price} for a token, {_latin(reference.source)}. "
            "For information only: nothing is paid by it.",
            5,
        )


def _summary_row(
    paper: _Paper, statement: Statement, title: str, wei: int, strong: bool = False
) -> None:
    paper.ink(_INK, 10, "B" if strong else "")
    paper.cell(70, 7, title, fill=strong)
    reference = statement.reference
    width = 78 if reference is not None else 108
    paper.cell(width, 7, f"{tokens(wei, 18)} tokens", align="R", fill=strong)
    if reference is not None:
        paper.ink(_SOFT, 8)
        worth = f"{reference.currency} {reference.worth(wei)}"
        paper.cell(30, 7, worth, align="R", fill=strong)
    paper.ln(7)


def _rounds(paper: _Paper, statement: Statement, run_names: Mapping[str, str]) -> None:
    runs: dict[str, list[Line]] = {}
    for line in statement.lines:
        runs.setdefault(line.run, []).append(line)
    if not runs:
        paper.heading("Rounds")
        paper.ink(_SOFT, 9)
        paper.text_line("None was sealed in this period.")
    for run, lines in runs.items():
        paper.heading(f"Run {_latin(run_names.get(run, run[:10]))}")
        paper.mono(_SOFT, 6.5)
        paper.text_line(run, 4)
        _column_titles(paper)
        for line in lines:
            if paper.get_y() > paper.h - 28:
                paper.add_page()
                _column_titles(paper)
            _round(paper, line)
        total = sum(line.amount_wei for line in lines)
        paper.ink(_INK, 8.5, "B")
        paper.cell(0, 6, f"{total:,}", align="R", new_x=XPos.LMARGIN, new_y=YPos.NEXT)


def _column_titles(paper: _Paper) -> None:
    paper.ink(_SOFT, 7.5)
    for title, width, align in _COLUMNS:
        paper.cell(width, 5, title, align=align)
    paper.ln(5)
    paper.rule()


def _round(paper: _Paper, line: Line) -> None:
    cells = (
        str(line.round),
        str(line.block),
        _percent(line.metered_bips),
        _percent(line.equal_bips),
        _percent(line.size_bips),
        f"{line.vested_wei:,}",
        f"{line.amount_wei:,}",
    )
    paper.ink(_INK, 8.5)
    for text, (_, width, align) in zip(cells, _COLUMNS, strict=True):
        paper.cell(width, 5, text, align=align)
    paper.ln(4.6)
    paper.mono(_SOFT, 5.8)
    paper.cell(89, 3.2, f"model {line.model}", align="L")
    paper.cell(0, 3.2, f"tx {line.transaction}", align="R", new_x=XPos.LMARGIN, new_y=YPos.NEXT)
    paper.ln(0.8)
    paper.rule()


def _movements(paper: _Paper, movements: Sequence[Movement], run_names: Mapping[str, str]) -> None:
    if not movements:
        return
    paper.heading("Other movements")
    for moved in movements:
        if paper.get_y() > paper.h - 28:
            paper.add_page()
        paper.ink(_INK, 8.5)
        name = _latin(run_names.get(moved.run, moved.run[:10]))
        paper.cell(90, 5, f"{_CAUSES[moved.cause.value]}, run {name}, block {moved.block}")
        sign = "-" if moved.cause.value in ("claim", "royalty-claim") else ""
        amount = f"{sign}{moved.amount_wei:,} wei"
        paper.cell(0, 5, amount, align="R", new_x=XPos.LMARGIN, new_y=YPos.NEXT)
        paper.mono(_SOFT, 5.8)
        paper.cell(70, 3.2, moved.account)
        paper.cell(
            0, 3.2, f"tx {moved.transaction}", align="R", new_x=XPos.LMARGIN, new_y=YPos.NEXT
        )
        paper.ln(0.8)
        paper.rule()


def _foot(paper: _Paper, envelope: Envelope) -> None:
    paper.heading("How to check this")
    paper.ink(_INK, 8.5)
    paper.multi_cell(
        0,
        4.4,
        "Every figure follows from public records of the chain. With the statement's JSON file, "
        "whose hash stands at the foot of each page, anybody can compute it again, without the "
        "marketplace and without trusting it:",
        new_x=XPos.LMARGIN,
        new_y=YPos.NEXT,
    )
    paper.ln(1)
    paper.set_fill_color(*_SHADE)
    paper.mono(_INK, 8)
    paper.cell(
        0,
        7,
        "  swarm-market verify-statement statement.json --rpc <any endpoint of the chain>",
        fill=True,
        new_x=XPos.LMARGIN,
        new_y=YPos.NEXT,
    )
    paper.ln(1)
    paper.ink(_SOFT, 7.5)
    paper.multi_cell(
        0,
        4,
        "Metered: the share by measured contribution; a dash where the agreement measures none. "
        "Equal and size: what an even split, and one by the samples that nodes report about "
        "themselves, would have been; a dash where not all reported. Vested: what the round "
        "divided between all organizations. One token is 10^18 wei. Issued under the Ed25519 key "
        f"{envelope.key}.",
        new_x=XPos.LMARGIN,
        new_y=YPos.NEXT,
    )


def tokens(wei: int, decimals: int = 2) -> str:
    """An amount in whole tokens, exact: all digits that it has, and at least so many decimals."""
    exact = Decimal(wei).scaleb(-_WEI_DECIMALS)
    whole, _, digits = f"{exact:,.18f}".partition(".")
    return f"{whole}.{digits.rstrip('0'):0<{decimals}}"


def _percent(bips: int | None) -> str:
    if bips is None:
        return "-"
    return f"{bips // _BIPS_A_PERCENT}.{bips % _BIPS_A_PERCENT:02d} %"


def _count(statement: Statement) -> str:
    count = len(statement.lines)
    return f"{count} round{'' if count == 1 else 's'}"


def _latin(text: str) -> str:
    """What the fonts of every PDF reader have."""
    return text.encode("latin-1", "replace").decode("latin-1")
