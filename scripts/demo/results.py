"""The tables at the end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

from scripts.demo.figures import Money
from scripts.demo.parties import INSTITUTES
from scripts.demo.watch import tokens


def show(console: Console, figures: Mapping[str, Any], money: Money) -> None:
    """Prints what came of it.

    Args:
        console: where to.
        figures: as they stand in the JSON file.
        money: where the pool went.
    """
    console.print("", _models(figures), "", _payment(figures, money), sep="\n")
    claimed = sum(money.claimed_wei.values())
    console.print(
        f"\nfunded {money.funded_wei} wei = claimed {claimed} + refunded {money.refunded_wei} "
        f"+ left {money.left_wei} wei; difference {money.error_wei}",
        soft_wrap=True,
    )
    overhead, memory = figures["round_overhead_s"], figures["peak_pss_mb"]
    console.print(
        f"{figures['rounds']} rounds in {figures['phases_s']['training']:.1f} s, overhead a round "
        f"{overhead['median']:.3f} s (p95 {overhead['p95']:.3f}), {figures['gas_per_round']:,} gas "
        f"and one transaction a round, {figures['bytes_sent_per_node_round']:,} bytes sent by a "
        f"node a round, {memory['sum']:,.0f} MB in all; {figures['wall_s']:.1f} s altogether",
        soft_wrap=True,
    )


def _models(figures: Mapping[str, Any]) -> Table:
    accuracy, auc = figures["accuracy"], figures["auc"]
    table = Table(title="on the test set, which nobody trained on", title_justify="left")
    table.add_column("trained by")
    table.add_column("data")
    table.add_column("accuracy", justify="right")
    table.add_column("AUC", justify="right")
    for k, each in enumerate(INSTITUTES):
        table.add_row(
            f"{each.name} alone", each.data, f"{accuracy['alone'][k]:.1%}", f"{auc['alone'][k]:.4f}"
        )
    table.add_section()
    for name, what in (("swarm", "each site keeps its own"), ("pooled", "all in one place")):
        style = "bold green" if name == "swarm" else ""
        table.add_row(name, what, f"{accuracy[name]:.1%}", f"{auc[name]:.4f}", style=style)
    return table


def _payment(figures: Mapping[str, Any], money: Money) -> Table:
    shares = figures["shares"]
    table = Table(title="what the data was worth", title_justify="left")
    table.add_column("institute")
    for title in ("metered", "equal split", "size split", "tokens claimed"):
        table.add_column(title, justify="right")
    for k, each in enumerate(INSTITUTES):
        row = [f"{shares[name][k]:.1%}" for name in ("metered", "equal", "size")]
        table.add_row(each.name, *row, tokens(money.claimed_wei[each.key]))
    return table
