"""What a merge was worth: losses, scores, the row of shares; and whether a proposal agrees."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import isfinite
from pathlib import Path
from typing import Any

from contracts.messages import Attestation, unpack_shares
from metering.agreement import Measurement, agrees
from metering.contribution import GAP_LIMIT, GAUSS_LEGENDRE, efficiency_gap
from metering.errors import MeteringError
from metering.fixed import LOSS_LIMIT_E9, METRIC_LIMIT_E9, SCALE, metric_to_fixed, to_fixed
from metering.split import Row
from node_agent.engine.coalitions import scores_by_losses
from node_agent.engine.context import NO_DATA_E9, RoundContext
from node_agent.engine.exchange import Merged
from node_agent.engine.node import Node
from node_agent.engine.rows import needs_gradient, opinion, row
from node_agent.errors import ParameterError, TrainingSocketError
from node_agent.parameters.format import ParameterFile
from node_agent.scoring import dots
from node_agent.trainer import Evaluation, TrainerGone

log = logging.getLogger(__name__)

_WITHIN = 1 - 1e-9  # of the largest number that fits: floats that large are coarse


@dataclass(frozen=True, slots=True)
class Measured:
    """This node's own view of a merge; losses and metric as fixed point 1e-9."""

    loss_before_e9: int
    loss_after_e9: int
    metric_e9: int
    shares: Row
    evaluate_s: float
    score_s: float
    parties: frozenset[int]
    """The organizations whose updates went in."""
    metered: bool
    """Do shares come from scores? Otherwise every node computes exactly the same row."""


async def measure(node: Node, context: RoundContext, merged: Merged) -> Measured:
    """Evaluate and score; waits for the training process, and again if it restarts meanwhile."""
    while True:
        await node.trainer.waiting()
        try:
            return await _measure(node, context, merged)
        except TrainerGone:
            continue
        except (TrainingSocketError, ParameterError, MeteringError) as error:
            log.error("The evaluation cannot be used: %s", error)
            await node.trainer.refuse(str(error), error.hint)


async def _measure(node: Node, context: RoundContext, merged: Merged) -> Measured:
    base = await node.model(context, context.base_root)
    loop = asyncio.get_running_loop()
    metered = needs_gradient(context, merged.peers)
    by_gradient = metered and merged.coefficients is not None and node.trainer.gradients
    gradient = node.store.scratch(context.round, "gradient") if by_gradient else None
    evaluate_s = score_s = 0.0
    phi = None
    for count in sorted(GAUSS_LEGENDRE):
        points = GAUSS_LEGENDRE[count] if by_gradient else ()
        evaluating = node.trainer.evaluate(base, merged.path, points, gradient)
        evaluation = await _counted(node, context, evaluating)
        evaluate_s += evaluation.seconds
        if not (context.local or evaluation.has_data):
            raise TrainingSocketError(
                "The training process has no validation data to measure on.",
                hint="Pass adsValData: this run's pay is measured on data that all have.",
            )
        judged = _judged(context, evaluation)
        if gradient is None or not isfinite(judged[0] - judged[1]):
            break
        started = loop.time()
        phi = await asyncio.to_thread(
            _scores, gradient, base, merged.files, merged.coefficients or ()
        )
        scored_s = loop.time() - started
        score_s += scored_s
        node.meter.evaluated(context.round, scored_s)
        if not all(map(isfinite, phi)):
            # One absurd update can do this: the round pays nobody, and goes on.
            phi = None
            break
        if efficiency_gap(phi, *judged) <= GAP_LIMIT:
            break
    measured = evaluation.has_data and isfinite(judged[0] - judged[1])
    if metered and not by_gradient and merged.peers and measured:
        started = loop.time()

        async def loss_at(path: Path) -> float:
            evaluating = node.trainer.evaluate(path, path, (), None)
            return _judged(context, await _counted(node, context, evaluating))[1]

        phi = await scores_by_losses(node, context, merged, judged, loss_at)
        score_s += loop.time() - started
    if context.local:
        shares = opinion(context, node.registration, merged.peers, phi)
    else:
        void = not merged.peers or (metered and phi is None)
        shares = () if void else row(context, merged.peers, merged.samples, phi)
    parties = frozenset(peer.party for peer in merged.peers)
    numbers = _own_numbers(evaluation) if context.local else _fixed(evaluation)
    return Measured(*numbers, shares, evaluate_s, score_s, parties, metered)


def _judged(context: RoundContext, evaluation: Evaluation) -> tuple[float, float]:
    """The losses that scores explain. Only under `local` may they be on data of one's choice."""
    if context.local:
        return evaluation.judged
    return evaluation.loss_before, evaluation.loss_after


async def _counted(
    node: Node, context: RoundContext, evaluating: Coroutine[Any, Any, Evaluation]
) -> Evaluation:
    """Work is done, and counts, even if the others agree meanwhile and nobody waits for it."""

    def count(done: asyncio.Future[Evaluation]) -> None:
        if not done.cancelled() and done.exception() is None:
            node.meter.evaluated(context.round, done.result().seconds)

    task = asyncio.ensure_future(evaluating)
    task.add_done_callback(count)
    return await asyncio.shield(task)


def _own_numbers(evaluation: Evaluation) -> tuple[int, int, int]:
    """Under `local` the largest number is no loss: it says that a site has no data."""
    if not evaluation.has_data:
        return NO_DATA_E9, NO_DATA_E9, 0
    before_e9, after_e9, metric_e9 = _fixed(evaluation)
    return min(before_e9, NO_DATA_E9 - 1), min(after_e9, NO_DATA_E9 - 1), metric_e9


def _fixed(evaluation: Evaluation) -> tuple[int, int, int]:
    metric = evaluation.metric if isfinite(evaluation.metric) else 0.0
    limit = METRIC_LIMIT_E9 / SCALE * _WITHIN
    return (
        _loss_e9(evaluation.loss_before),
        _loss_e9(evaluation.loss_after),
        metric_to_fixed(max(-limit, min(limit, metric))),
    )


def _loss_e9(loss: float) -> int:
    """A diverged model has the worst loss there is: the round is sealed, and pays nobody.

    It is no error of the training process's: anyone's update can make all sites' losses absurd.
    """
    if not isfinite(loss) or loss > LOSS_LIMIT_E9 / SCALE * _WITHIN:
        return LOSS_LIMIT_E9
    return to_fixed(loss)


def _scores(
    gradient: Path, base: Path, files: Sequence[Path], coefficients: Sequence[Fraction]
) -> tuple[float, ...]:
    """phi_i = −c_i·⟨gradient, u_i − base⟩: Aumann-Shapley along base + s·Σ c_i·(u_i − base)."""
    updates = [ParameterFile.open(path) for path in files]
    products = dots(ParameterFile.open(gradient), ParameterFile.open(base), updates)
    return tuple(-float(c) * dot for c, dot in zip(coefficients, products, strict=True))


def disagreement(
    context: RoundContext,
    measured: Measured,
    mine: Attestation,
    proposed: Attestation,
    *,
    void_allowed: bool,
) -> str | None:
    """Why this node will not sign the leader's proposal; None when it will.

    Roots and rejects must be equal, since all merged the same bytes; losses, metric and pay may
    differ by the stated tolerance, but a row must be one that the contract takes: a round that
    many signed and nobody can seal would stand still. ``void_allowed``: after two refused
    proposals a round without pay is acceptable.
    """
    for name in ("roster_root", "merged_root", "rejects"):
        if getattr(mine, name) != getattr(proposed, name):
            return f"{name} differs from mine"
    if proposed.shares == b"" and context.round and void_allowed:
        mine = replace(mine, shares=b"")
    elif not measured.metered and proposed.shares != mine.shares:
        return "the shares differ from mine, though they are not metered"
    elif proposed.shares and {p for p, _ in unpack_shares(proposed.shares)} != measured.parties:
        return "the shares are not those of the organizations in the roster"
    best_e9 = min(context.best_loss_e9, proposed.loss_after)
    gain_e9 = context.initial_loss_e9 - best_e9
    difference = agrees(
        _measurement(mine),
        _measurement(proposed),
        available_wei=context.creditable_wei(gain_e9),
        pool_wei=context.funded_wei,
    )
    return str(difference) if difference else None


def _measurement(attestation: Attestation) -> Measurement:
    return Measurement(
        attestation.loss_before,
        attestation.loss_after,
        attestation.metric,
        unpack_shares(attestation.shares),
    )
