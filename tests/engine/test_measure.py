"""What a node signs of a leader's proposal, and what it makes of absurd numbers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from contracts.messages import Attestation, pack_shares
from metering.fixed import LOSS_LIMIT_E9, METRIC_LIMIT_E9
from node_agent.engine.context import RoundContext
from node_agent.engine.measure import Measured, _fixed, disagreement
from node_agent.trainer import Evaluation
from tests.engine.rounds import PREV, RUN, Table

ROW = ((0, 3000), (1, 3000), (2, 4000))


def view(context: RoundContext, *, metered: bool = True) -> tuple[Measured, Attestation]:
    measured = Measured(10**9, 9 * 10**8, 0, ROW, 0.0, 0.0, frozenset({0, 1, 2}), metered)
    mine = Attestation(
        RUN, context.round, PREV, 0, bytes(32), bytes(32),
        measured.loss_before_e9, measured.loss_after_e9, 0, pack_shares(ROW), b"",
    )  # fmt: skip
    return measured, mine


def refusal(context: RoundContext, *, metered: bool = True, **proposed: object) -> str | None:
    measured, mine = view(context, metered=metered)
    proposal = replace(mine, **proposed)  # type: ignore[arg-type]  # a test's word
    return disagreement(context, measured, mine, proposal, void_allowed=False)


def test_what_agrees_is_signed() -> None:
    context = Table([0, 1, 2]).context
    assert refusal(context) is None
    assert refusal(context, loss_after=9 * 10**8 + 100) is None


@pytest.mark.parametrize(
    "proposed",
    [
        {"merged_root": bytes([1]) * 32},
        {"roster_root": bytes([1]) * 32},
        {"rejects": b"\0\0\1"},
        {"loss_after": 8 * 10**8},
        {"metric": 10**9},
    ],
)
def test_what_differs_is_refused(proposed: dict[str, object]) -> None:
    assert refusal(Table([0, 1, 2]).context, **proposed)


@pytest.mark.parametrize("row", [((0, 10_000),), ((0, 9000), (1, 1000)), ((0, 5000), (1, 5000))])
def test_a_row_that_the_contract_may_not_take_is_refused_even_if_it_pays_nothing(
    row: tuple[tuple[int, int], ...],
) -> None:
    broke = replace(Table([0, 1, 2]).context, funded_wei=0)
    assert refusal(broke, shares=pack_shares(row))


def test_where_pay_is_not_metered_the_row_is_the_same_to_the_last_point() -> None:
    broke = replace(Table([0, 1, 2]).context, funded_wei=0)
    row = ((0, 3001), (1, 3000), (2, 3999))
    assert refusal(broke, shares=pack_shares(row)) is None
    assert refusal(broke, shares=pack_shares(row), metered=False)


def test_round_0_pays_nobody() -> None:
    context = Table([0, 1, 2], round_number=0).context
    measured, mine = view(context, metered=False)
    nothing = replace(measured, shares=()), replace(mine, shares=b"")
    assert disagreement(context, *nothing, nothing[1], void_allowed=False) is None
    assert disagreement(context, *nothing, mine, void_allowed=True)


def test_a_void_row_is_signed_only_after_two_refused_proposals() -> None:
    context = Table([0, 1, 2]).context
    measured, mine = view(context)
    void = replace(mine, shares=b"")
    assert disagreement(context, measured, mine, void, void_allowed=False)
    assert disagreement(context, measured, mine, void, void_allowed=True) is None
    assert disagreement(context, measured, mine, mine, void_allowed=True) is None


@pytest.mark.parametrize("loss", [float("inf"), float("nan"), 1e300, LOSS_LIMIT_E9 / 1e9])
def test_an_absurd_loss_is_the_worst_there_is(loss: float) -> None:
    assert _fixed(Evaluation(1.0, loss, -loss, 0.0))[1] == LOSS_LIMIT_E9


@pytest.mark.parametrize("metric", [float("nan"), 1e300, -1e300])
def test_an_absurd_metric_fits_nevertheless(metric: float) -> None:
    assert abs(_fixed(Evaluation(1.0, 1.0, metric, 0.0))[2]) <= METRIC_LIMIT_E9
