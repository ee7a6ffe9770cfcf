"""Keeps the model of a run that has just finished, with a card made from what the chain says."""

from __future__ import annotations

import logging
from pathlib import Path

from contracts import Contracts
from contracts.messages import Terms, to_json
from contracts.training import Ending
from node_agent.engine.chain import RunOver
from node_agent.models.card import Card
from node_agent.models.library import Kept, Library, count
from node_agent.parameters.format import ParameterFile

log = logging.getLogger(__name__)

_SCALE = 1e9
_METERING_LOCAL = 3
_ENDINGS = {
    Ending.TARGET_REACHED: "the target was reached",
    Ending.ROUNDS_DONE: "all rounds were done",
    Ending.AGREEMENT_OVER: "the agreement was over",
    Ending.PATIENCE: "it had not got better for too long",
}


async def keep(
    library: Library,
    contracts: Contracts,
    node: str,
    run_id: bytes,
    terms: Terms,
    over: RunOver,
    merged: Path,
) -> Kept:
    """Keep `merged`, the file of the run's last merge.

    Raises:
        ChainError: the chain does not answer.
        OSError: the disk is full.
    """
    run = await contracts.training.run(run_id)
    file = ParameterFile.open(merged)
    tensors, parameters = count(file.schema)
    agreed = terms.metering != _METERING_LOCAL
    card = Card(
        name=run.name,
        generation=run.generation,
        run="0x" + run_id.hex(),
        agreement="0x" + run.agreement.hex(),
        chain_id=contracts.chain.chain_id,
        training_contract=contracts.training.address,
        node=node,
        ending=_ENDINGS[Ending(run.ending)],
        rounds=over.round,
        finished_at_s=run.opened_at,
        merged_root="0x" + over.merged_root.hex(),
        initial_root="0x" + run.initial_root.hex(),
        tensors=tensors,
        parameters=parameters,
        size_bytes=file.size,
        initial_loss=run.initial_loss / _SCALE,
        best_loss=run.best_loss / _SCALE,
        last_loss=run.last_loss / _SCALE if agreed else None,
        last_metric=run.last_metric / _SCALE if agreed else None,
        participants=tuple(peer.spiffe_id for peer in over.members),
        organizations=tuple(sorted({peer.organization for peer in over.members})),
        terms=to_json(terms),
    )
    kept = library.keep(card, merged)
    log.info("The model is kept as %s: `swarm-node models show %s`.", kept.name, kept.name)
    return kept
