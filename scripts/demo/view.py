"""The demo as people see it: a live screen on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from scripts.demo.parties import INSTITUTES
from scripts.demo.watch import NodeState, Picture, tokens

_COLORS = {
    "away": "red",
    "training": "green",
    "committed": "cyan",
    "exchanging": "magenta",
    "measuring": "yellow",
}


class View:
    """Shows what happens, and how long each phase takes."""

    def __init__(self, console: Console, rounds: int) -> None:
        self.console = console
        self.phases_s: dict[str, float] = {}
        self.started_at = time.time()
        self._started_s = time.monotonic()
        self._rounds = rounds
        self._live: Live | None = None
        self._told_round = -1
        self._bar = Progress(
            TextColumn("[bold]run"), BarColumn(bar_width=None), MofNCompleteColumn(),
            TextColumn("rounds"), TimeElapsedColumn(),
        )  # fmt: skip
        self._task = self._bar.add_task("run", total=rounds)

    @property
    def elapsed_s(self) -> float:
        """Since the demo began."""
        return time.monotonic() - self._started_s

    def say(self, text: str) -> None:
        """One line, with the time."""
        self.console.print(f"[dim]{self.elapsed_s:6.1f} s[/]  {text}", soft_wrap=True)

    @contextmanager
    def phase(self, name: str, told: str) -> Iterator[None]:
        """Measures what is done within, and says so when it is done."""
        started_s = time.monotonic()
        yield
        self.phases_s[name] = round(time.monotonic() - started_s, 3)
        self.say(f"{told} [dim]({self.phases_s[name]:.1f} s)[/]")

    @contextmanager
    def live(self) -> Iterator[None]:
        """While it lasts, `show` renews a live screen, if there is a terminal to show it on."""
        if not self.console.is_terminal:
            yield
            return
        with Live(console=self.console, refresh_per_second=4, transient=True) as self._live:
            yield
        self._live = None

    def show(self, picture: Picture) -> None:
        """The run as it is now."""
        if self._live is not None:
            self._bar.update(self._task, completed=min(picture.round, self._rounds))
            self._live.update(self._screen(picture))
        elif picture.round > self._told_round and picture.round > 0:
            self._told_round = picture.round
            self.say(_line(picture))

    def _screen(self, picture: Picture) -> RenderableType:
        table = Table(expand=True, box=None, header_style="bold")
        for title in ("institute", "place", "state", "round"):
            table.add_column(title, no_wrap=True)
        for title in ("merged", "loss", "accuracy", "tokens earned"):
            table.add_column(title, justify="right", no_wrap=True)
        for each in INSTITUTES:
            node = picture.nodes[each.key]
            mark = " [bold yellow]★[/]" if picture.leader == each.key else ""
            color = _COLORS.get(node.state, "white")
            table.add_row(
                f"{each.name}{mark}", each.place, f"[{color}]{node.state}[/]", _number(node.round),
                _number(node.merged), _fraction(node.loss), _fraction(node.metric),
                tokens(picture.earned_wei.get(each.key, 0)),
            )  # fmt: skip
        legend = "[dim]★ leads this round · measured on the agreed validation set[/]"
        return Panel(Group(self._bar, "", table, "", legend), title="swarm learning, live")


def _line(picture: Picture) -> str:
    ahead = max(picture.nodes.values(), key=_progress)
    states = ", ".join(f"{key} {node.state}" for key, node in picture.nodes.items())
    earned = ", ".join(tokens(amount) for amount in picture.earned_wei.values()) or "-"
    return (
        f"round {picture.round} (leader {picture.leader or '-'}): loss {_fraction(ahead.loss)}, "
        f"accuracy {_fraction(ahead.metric)}; {states}; earned {earned}"
    )


def _progress(node: NodeState) -> int:
    return -1 if node.round is None else node.round


def _number(value: int | None) -> str:
    return "-" if value is None else str(value)


def _fraction(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"
