"""Geometry of the pages' drawings; the templates make SVG of it. Units are those of the viewBox."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from marketplace.web.format import bips
from marketplace.web.format import node as name_of

WIDTH = 640
HEIGHT = 260
_LEFT, _RIGHT, _TOP, _BOTTOM = 58, 20, 14, 34
_TICKS = 4
# Beyond this many rounds the dots would touch.
_MOST_DOTS = 120


@dataclass(frozen=True, slots=True)
class Point:
    x: float
    y: float
    label: str


@dataclass(frozen=True, slots=True)
class Tick:
    at: float
    label: str


@dataclass(frozen=True, slots=True)
class LossChart:
    """Loss over rounds, with the target as a line."""

    points: tuple[Point, ...]
    line: str
    area: str
    rounds: tuple[Tick, ...]
    losses: tuple[Tick, ...]
    target: Tick
    summary: str
    dots: bool
    width: int = WIDTH
    height: int = HEIGHT
    left: int = _LEFT
    right: int = WIDTH - _RIGHT
    top: int = _TOP
    bottom: int = HEIGHT - _BOTTOM


def loss_chart(losses: Sequence[tuple[int, int]], run: dict[str, Any]) -> LossChart | None:
    """Lays out the losses of sealed rounds; None before there is one.

    Args:
        losses: (round, loss in 1e-9), the first and the last sealed round among them.
        run: as `views.show_run` gives it.
    """
    if not losses:
        return None
    target = run["target_loss_e9"] / 1e9
    values = [loss / 1e9 for _, loss in losses]
    sealed = losses[-1][0] + 1
    step = _step(max([*values, target]) * 1.05)
    highest = step * math.ceil(max([*values, target]) * 1.05 / step)
    last_round = max(sealed - 1, min(run["max_rounds"], 2 * sealed), 1)
    chart_width, chart_height = WIDTH - _LEFT - _RIGHT, HEIGHT - _TOP - _BOTTOM

    def x(number: float) -> float:
        return float(round(_LEFT + chart_width * number / last_round, 1))

    def y(value: float) -> float:
        return float(round(_TOP + chart_height * (1 - value / highest), 1))

    points = tuple(
        Point(x(number), y(value), f"round {number}: loss {value:.5g}")
        for (number, _), value in zip(losses, values, strict=True)
    )
    line = " ".join(f"{point.x},{point.y}" for point in points)
    floor = HEIGHT - _BOTTOM
    round_step = max(1, math.ceil(last_round / 8))
    return LossChart(
        points=points,
        line=line,
        area=f"{points[0].x},{floor} {line} {points[-1].x},{floor}",
        rounds=tuple(Tick(x(n), str(n)) for n in range(0, last_round + 1, round_step)),
        losses=tuple(
            Tick(y(step * n), f"{step * n:.4g}") for n in range(round(highest / step) + 1)
        ),
        target=Tick(y(target), f"target {target:.4g}"),
        summary=f"Loss by round: {values[0]:.4g} in round 0, {values[-1]:.4g} in round "
        f"{sealed - 1}, target {target:.4g}.",
        dots=len(points) <= _MOST_DOTS,
    )


@dataclass(frozen=True, slots=True)
class Slice:
    """One organization's part of a bar that is 100 wide."""

    party: int
    x: float
    width: float
    label: str


def share_bar(shares: Sequence[dict[str, Any]]) -> tuple[Slice, ...]:
    """Lays a row of shares out side by side."""
    slices: list[Slice] = []
    x = 0.0
    for share in shares:
        width = share["share_bips"] / 100
        label = f"{share['organization']} {bips(share['share_bips'])}"
        slices.append(Slice(share["party"], round(x, 2), width, label))
        x += width
    return tuple(slices)


@dataclass(frozen=True, slots=True)
class Dot:
    """What became of one node in a round."""

    party: int
    state: str  # as the style sheet calls it
    crossed: bool
    label: str


def dots(attendance: Sequence[dict[str, Any]]) -> tuple[Dot, ...]:
    """One for each node, as `attendance` lists them."""
    return tuple(
        Dot(
            each["party"],
            each["state"].replace(" ", "-"),
            each["state"] == "rejected",
            f"{name_of(each['spiffe_id'])}: {each['state']}"
            + (f", {each['reason']}" if each["reason"] else ""),
        )
        for each in attendance
    )


@dataclass(frozen=True, slots=True)
class Curve:
    """One run's losses."""

    name: str
    line: str
    number: int


@dataclass(frozen=True, slots=True)
class Overlay:
    """The losses of several runs on the same axes."""

    curves: tuple[Curve, ...]
    rounds: tuple[Tick, ...]
    losses: tuple[Tick, ...]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = _LEFT
    right: int = WIDTH - _RIGHT
    bottom: int = HEIGHT - _BOTTOM


def overlay(runs: Sequence[tuple[str, Sequence[tuple[int, int]]]]) -> Overlay | None:
    """Lays out (round, loss in 1e-9) of runs with their names; None while there are none."""
    highest_e9 = max((loss for _, losses in runs for _, loss in losses), default=0)
    if not highest_e9:
        return None
    step = _step(highest_e9 / 1e9 * 1.05)
    highest = step * math.ceil(highest_e9 / 1e9 * 1.05 / step)
    last = max(1, *(losses[-1][0] for _, losses in runs if losses))

    def x(number: float) -> float:
        return float(round(_LEFT + (WIDTH - _LEFT - _RIGHT) * number / last, 1))

    def y(value: float) -> float:
        return float(round(_TOP + (HEIGHT - _TOP - _BOTTOM) * (1 - value / highest), 1))

    curves = tuple(
        Curve(name, " ".join(f"{x(n)},{y(loss / 1e9)}" for n, loss in losses), number)
        for number, (name, losses) in enumerate(runs)
    )
    rounds = tuple(Tick(x(n), str(n)) for n in range(0, last + 1, max(1, math.ceil(last / 8))))
    ticks = range(round(highest / step) + 1)
    return Overlay(curves, rounds, tuple(Tick(y(step * n), f"{step * n:.4g}") for n in ticks))


RING = 240  # width and height of the drawing
_RING_RADIUS = 84


@dataclass(frozen=True, slots=True)
class Seat:
    """A node on the ring, and where its name stands."""

    x: float
    y: float
    text_x: float
    text_y: float
    anchor: str
    name: str
    party: int
    state: str
    leads: bool


@dataclass(frozen=True, slots=True)
class Ring:
    """Who exchanges with whom: all with all."""

    seats: tuple[Seat, ...]
    lines: tuple[tuple[float, float, float, float], ...]
    summary: str


def ring(nodes: Sequence[dict[str, Any]], leader: str | None) -> Ring | None:
    """Lays the nodes of a run out on a circle; None without any, or with more than one can see.

    Args:
        nodes: as `status.list_nodes` gives them.
        leader: SPIFFE ID of who leads the open round.
    """
    if not 1 <= len(nodes) <= 24:
        return None
    seats = []
    for number, node in enumerate(nodes):
        angle = 2 * math.pi * number / len(nodes) - math.pi / 2
        x, y = math.cos(angle), math.sin(angle)
        middle = RING / 2
        seats.append(
            Seat(
                x=round(middle + _RING_RADIUS * x, 1),
                y=round(middle + _RING_RADIUS * y, 1),
                text_x=round(middle + (_RING_RADIUS + 20) * x, 1),
                text_y=round(middle + (_RING_RADIUS + 20) * y + 4, 1),
                anchor="middle" if abs(x) < 0.3 else "start" if x > 0 else "end",
                name=f"{node['organization']}/{node['node']}",
                party=node["party"],
                state="silent" if node["silent"] else str(node["status"].get("state") or "up"),
                leads=node["spiffe_id"] == leader,
            )
        )
    up = [seat for seat in seats if seat.state != "silent"]
    lines = tuple((a.x, a.y, b.x, b.y) for n, a in enumerate(up) for b in up[n + 1 :])
    leading = next((seat.name for seat in seats if seat.leads), "nobody")
    return Ring(tuple(seats), lines, f"{len(up)} of {len(seats)} nodes up; {leading} leads.")


def _step(highest: float) -> float:
    """A round number (1, 2, 2.5 or 5 times a power of ten) that divides the axis well."""
    rough = highest / _TICKS if highest > 0 else 1.0
    power = 10.0 ** math.floor(math.log10(rough))
    return next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= rough)
