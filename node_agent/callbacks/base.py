"""`SwarmCallback` without a training framework: the hooks, the rhythm, and the agent's errands.

The rhythm: a common start when training begins, then a sync after every `syncFrequency` batches.
In each the agent sends the script on errands (write your parameters, measure these two models)
until it releases it with the merged parameters, or with the final ones when the run is over.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

from node_agent.callbacks.agent import SOCKET_VARIABLE, AgentSocket
from node_agent.callbacks.errors import (
    AgentProtocolError,
    AgentUnreachable,
    CallbackError,
    SwarmRefused,
)
from node_agent.callbacks.instructions import (
    PROTOCOL,
    Evaluate,
    Load,
    Stop,
    Wait,
    Welcome,
    Write,
)
from node_agent.callbacks.measure import NOTHING_MEASURED, Measured
from node_agent.callbacks.progress import Progress, bar
from node_agent.callbacks.settings import Settings, agreed
from node_agent.parameters.format import ParameterFile, Written
from node_agent.parameters.schema import Schema

LOOPBACK_VARIABLE = "SWARM_LOOPBACK"
_QUIET_S = 5.0  # waits shorter than this are nobody's business, longer ones are told this often


class Trainee(Protocol):
    """What a training framework has to offer: its model, seen as parameter files."""

    framework: str
    gradients: bool
    """Can it tell gradients? If not, contributions are measured by losses alone (2N of them)."""
    own_opinion: bool
    """Does it judge others by other data than those that losses are reported of?"""

    def attach(self) -> Schema:
        """Fix what travels, and start to count samples."""
        ...

    def write(self, path: Path, metadata: Mapping[str, str]) -> Written: ...

    def load(self, parameters: ParameterFile) -> None: ...

    def evaluate(
        self,
        base: Path,
        merged: Path,
        points: tuple[tuple[float, float], ...],
        gradient_path: Path | None,
    ) -> Measured: ...

    def use_agreed_validation(self, path: Path | None) -> None:
        """Measure on the run's agreed data, unless the script brought its own."""
        ...

    def take_batch_samples(self) -> int:
        """Return how many samples the model has seen since the last call."""
        ...

    def detach(self) -> None: ...


class Keeper(Protocol):
    """Keeps what a restarted script needs besides the model, to go on as it would have."""

    epoch: int

    def joined(self, folder: Path) -> None: ...

    def syncing(self, base: str) -> None: ...

    def loaded(self, base: str) -> None: ...

    def start_epoch(self, epoch: int) -> None: ...


class SwarmCallback:
    """Joins a training loop to the swarm; import it from the module of your framework.

    The hooks take and ignore whatever else Keras would pass. `finished` turns True when the run is
    over: batches trained after that are discarded, since `on_train_end` leaves the model with the
    final parameters of the swarm.

    With `SWARM_LOOPBACK=True` in the environment only the parameters are checked, and the script
    trains on its own.
    """

    def __init__(self, settings: Settings, trainee: Trainee, logger: logging.Logger | None) -> None:
        self.logger = logger or _default_logger()
        self.finished = False
        self.round: int | None = None
        self._settings = settings
        self._trainee = trainee
        self._progress = Progress()
        self._sync_frequency = settings.sync_frequency
        self._total_epochs = settings.total_epochs
        self._total_rounds: int | None = None
        self._loopback = os.environ.get(LOOPBACK_VARIABLE, "").lower() in ("true", "1", "yes")
        self._agent: AgentSocket | None = None
        self._has_validation = True
        self._base = ""
        self._final: ParameterFile | None = None
        self._first: tuple[int, float] | None = None  # the first round here, and when it was
        self._asked_s = self._told_s = 0.0
        self._keeper: Keeper | None = None

    def epochs(self, total: int) -> Iterator[int]:
        """Count epochs from 0 to `total` and call all hooks but `on_batch_end` around them.

        Ends early when the run is over. A loop that is left by `break` calls `on_train_end` itself.
        With the deterministic option a restarted script begins with the epoch it was in.
        """
        self._total_epochs = self._total_epochs or total
        self.on_train_begin()
        for epoch in range(self._keeper.epoch if self._keeper else 0, total):
            if self.finished:
                break
            if self._keeper:
                self._keeper.start_epoch(epoch)
            yield epoch
            self.on_epoch_end(epoch)
        self.on_train_end()

    def on_train_begin(self, *_: Any, **__: Any) -> None:
        """Join the run and load the parameters that everyone starts from.

        Raises:
            AgentUnreachable: no agent answers.
            SwarmRefused: the terms of the run differ from this script.
        """
        if self._loopback:
            self.logger.info("%s is set: training without the swarm", LOOPBACK_VARIABLE)
            return
        if self._agent is not None or self.finished:
            return
        self._agent = self._join()
        schema = self._trainee.attach()
        self._follow(self._agent, {"op": "begin", "schema": schema.to_json()})

    def on_batch_end(
        self, batch: Any = None, logs: Mapping[str, Any] | None = None, **_: Any
    ) -> bool:
        """Count a batch, and sync after every `syncFrequency` of them.

        Args:
            batch: ignored.
            logs: if it has them, `loss` (mean over the batch), `size` (its samples) and `steps`
                (how many batches at once, 1) are used; samples that are not told are counted where
                they enter the model.

        Returns:
            `finished`, so that a loop can `break`.
        """
        if self._loopback:
            return False
        if self._agent is None and not self.finished:
            raise CallbackError(
                "on_batch_end came before on_train_begin",
                hint="Call on_train_begin() before the first batch: it loads the common start.",
            )
        logs = logs or {}
        samples = logs.get("size", self._trainee.take_batch_samples())
        loss = logs.get("loss")
        loss = None if loss is None else float(loss)
        self._progress.batch(int(samples), loss, steps=int(logs.get("steps", 1)))
        due = self._progress.steps >= self._sync_frequency
        if due and self._agent is not None and not self.finished:
            window = self._progress.take_window()
            if self._keeper:
                self._keeper.syncing(self._base)
            self._follow(self._agent, {"op": "sync", "base": self._base, **window})
        return self.finished

    def on_epoch_end(self, epoch: Any = None, logs: Any = None, **_: Any) -> bool:
        """Count an epoch; returns `finished`."""
        self._progress.epoch()
        return self.finished

    def on_train_end(self, *_: Any, **__: Any) -> None:
        """Wait until the run is over, and leave the model with its final parameters."""
        while self._agent is not None and not self.finished:
            check_in = self._settings.check_in
            self._follow(self._agent, {"op": "end", "base": self._base, "checkin": check_in})
        if self._final is not None:
            self._trainee.load(self._final)
        if self._agent is not None:
            self._agent.close()
            self._agent = None
        self._trainee.detach()

    def _join(self) -> AgentSocket:
        path = os.environ.get(SOCKET_VARIABLE)
        if not path:
            raise AgentUnreachable(
                f"{SOCKET_VARIABLE} is not set, so there is no node agent to train with",
                hint=f"Set it to the socket that the node agent names when it starts, or set "
                f"{LOOPBACK_VARIABLE}=True to train without the swarm.",
            )
        hello = {
            "protocol": PROTOCOL,
            "pid": os.getpid(),
            "framework": self._trainee.framework,
            "gradients": self._trainee.gradients,
            "claims": self._settings.claims,
        }
        agent = AgentSocket(Path(path), hello, self.logger)
        try:
            welcome = agent.open()
            for difference in agreed(self._settings, (welcome.name, welcome.run), welcome.terms):
                self.logger.warning("%s: the terms win", difference)
            self._find_validation(welcome)
        except CallbackError:
            agent.close()
            raise
        if self._keeper:
            self._keeper.joined(welcome.directory / f"resume-{welcome.run[2:18]}")
        self._sync_frequency = welcome.terms.get("syncFrequency") or self._sync_frequency
        self._total_rounds = welcome.terms.get("maxRounds")
        self.logger.info(
            "run %s: taking part as %s, from round %d", welcome.name, welcome.node, welcome.round
        )
        if not self._total_epochs:
            self.logger.warning("totalEpochs is not set: progress is shown without an end")
        return agent

    def _find_validation(self, welcome: Welcome) -> None:
        if self._trainee.own_opinion and welcome.terms.get("metering") != "local":
            raise SwarmRefused(
                "opinionData is for runs under `local`: in this one all measure on the same data",
                hint="Leave out opinionData.",
            )
        try:
            self._trainee.use_agreed_validation(welcome.validation)
        except SwarmRefused:
            # Where every site measures on its own data, one without abstains.
            if welcome.terms.get("metering") != "local":
                raise
            self._has_validation = False
            self.logger.info("no validation data: this site abstains from measuring")

    def _follow(self, agent: AgentSocket, request: Mapping[str, Any]) -> None:
        """Make a request and run the agent's errands until it releases the script."""
        self._asked_s = self._told_s = time.monotonic()
        agent.say(request)
        while True:
            match agent.hear():
                case Wait(message):
                    self._tell(message)
                case Write(path, metadata):
                    written = self._trainee.write(path, metadata)
                    agent.answer(
                        {"op": "written", "root": written.root.hex(), "size": written.size}
                    )
                case Evaluate(base, merged, points, gradient):
                    found = NOTHING_MEASURED
                    if self._has_validation:
                        found = self._trainee.evaluate(base, merged, points, gradient).to_json()
                    agent.answer({"op": "evaluated", **found})
                case Load() as load:
                    self._load(load)
                    if agent.answer({"op": "loaded"}):
                        return
                case Stop() as stop:
                    self._stop(stop)
                    agent.part({"op": "loaded"})
                    return
                case Welcome() as welcome:
                    raise AgentProtocolError(f"the node agent welcomed us twice: {welcome}")

    def _load(self, load: Load) -> None:
        self._trainee.load(ParameterFile.open(load.path))
        self._base, self.round = load.base, load.round
        if self._keeper:
            self._keeper.loaded(load.base)
        self._sync_frequency = load.sync_frequency or self._sync_frequency
        self.logger.info(
            "round %d: loss %s, metric %s, epochs %s, waited %.1f s  %s",
            load.round,
            "-" if load.loss is None else f"{load.loss:.4f}",
            "-" if load.metric is None else f"{load.metric:.4f}",
            f"{self._progress.epochs:.1f} of {self._total_epochs or '?'}",
            time.monotonic() - self._asked_s,
            self._bar(load.round),
        )

    def _bar(self, round_: int) -> str:
        """How far the run is, and when it would be over if all its rounds are needed."""
        if not self._total_rounds:
            return ""
        now_s = time.monotonic()
        if self._first is None:
            self._first = round_, now_s
        since, since_s = self._first
        left_s = None
        if round_ > since:
            left_s = (now_s - since_s) / (round_ - since) * max(self._total_rounds - round_, 0)
        return bar(round_, self._total_rounds, left_s)

    def _stop(self, stop: Stop) -> None:
        if stop.path is not None:
            # Held open: a script that trains on gets the final parameters back at its end.
            self._final = ParameterFile.open(stop.path)
            self._trainee.load(self._final)
        self.round, self.finished = stop.round, True
        self.logger.info("round %d was the last: %s", stop.round, stop.reason)
        self.logger.info(
            "All peers and Swarm training rounds finished. Final Swarm model was loaded."
            if self._final is not None
            else "The run ended without a final model; this site's own parameters are kept."
        )

    def _tell(self, message: str) -> None:
        now_s = time.monotonic()
        level = logging.DEBUG
        if now_s - self._told_s >= _QUIET_S:
            level, self._told_s = logging.INFO, now_s
        self.logger.log(level, "waiting for %.0f s: %s", now_s - self._asked_s, message)


def _default_logger() -> logging.Logger:
    """INFO and above on stdout: where programs written for HPE Swarm Learning expect them."""
    logger = logging.getLogger("swarm")
    if not logger.handlers:
        handler = logging.StreamHandler(sys.stdout)
        handler.setFormatter(logging.Formatter("%(asctime)s swarm: %(message)s", "%H:%M:%S"))
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
        logger.propagate = False
    return logger
