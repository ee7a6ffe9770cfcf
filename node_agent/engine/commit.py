"""From a training process that has trained to a commit that everyone has."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from contracts.messages import Update
from node_agent.engine.headers import update_metadata
from node_agent.engine.store import file_root
from node_agent.errors import ParameterError
from node_agent.parameters.check import check_update
from node_agent.parameters.format import ParameterFile
from node_agent.trainer import Request, TrainerGone

if TYPE_CHECKING:
    from node_agent.engine.round import Round

log = logging.getLogger(__name__)


class Commit:
    """This node's update of one round."""

    def __init__(self, round_: Round) -> None:
        self._round = round_
        self.node, self.context = round_.node, round_.context

    async def make(self) -> None:
        """Commit once, or not at all; ends when there is nothing more to be done."""
        if self.node.registration in self._round.book.updates:
            return
        request = await self._trained()
        if self._round.book.rosters:
            log.info("Round %d closed its roster without us.", self.context.round)
            return
        self._round.trained_at = request.received_s
        started = asyncio.get_running_loop().time()
        try:
            update = await self._write_update(request)
        except ParameterError as error:
            log.error("Nothing is committed to round %d: %s", self.context.round, error)
            self._round.state = "refused"
            return await self.node.trainer.refuse(str(error), error.hint)
        self._round.say(self.node.sign_once(self.context, "update", 0, update))
        self.node.meter.committed(self.context.round, update.samples)
        self._round.report.samples = update.samples
        self._round.report.commit_s = asyncio.get_running_loop().time() - started
        self._round.state = "committed"

    async def _trained(self) -> Request:
        """The training process's request to sync, trained from this round's base."""
        while True:
            request = await self.node.trainer.waiting()
            if request.op == "sync" and request.base == self.context.base_root.hex():
                return request
            if request.op == "end":
                # It has done its epochs: it contributes no more, and waits for the final model.
                await asyncio.Event().wait()
            with suppress(TrainerGone):
                await self.node.hand_over(self.context, self.context.base_root, self.context.round)

    async def _write_update(self, request: Request) -> Update:
        context, node = self.context, self.node
        scratch = node.store.scratch(context.round, "update")
        while True:
            try:
                await node.trainer.write(request, scratch, update_metadata(context, node.spiffe_id))
                break
            except TrainerGone:
                request = await self._trained()
        root, size = await asyncio.to_thread(self._inspect, scratch)
        samples = request.samples
        if samples < context.terms.min_samples:
            raise ParameterError(
                f"{samples} samples since the last sync, the terms ask for "
                f"{context.terms.min_samples}",
                hint="An update from few samples can be turned back into them: train on more.",
            )
        node.store.adopt(scratch, context.round, root)
        return Update(
            context.run_id, context.round, context.prev, node.registration, root, size, samples
        )

    def _inspect(self, path: Path) -> tuple[bytes, int]:
        """Root and size of our own update, held to what the others will hold it to."""
        try:
            file = ParameterFile.open(path)
        except OSError as error:
            raise ParameterError(f"the training process has written nothing: {error}") from error
        expected = update_metadata(self.context, self.node.spiffe_id)
        reject = check_update(file, self.node.schema, expected)
        if reject:
            raise ParameterError(
                f"what was trained since the last sync cannot be sent: {reject.text}",
                hint="If it diverged, lower the learning rate; start the training process again.",
            )
        return file_root(path), file.size
