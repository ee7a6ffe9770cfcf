"""Swarm learning for Keras 3, on TensorFlow or PyTorch.

    swarm = SwarmCallback(syncFrequency=8, minPeers=2, adsValData=(x, y))
    model.fit(x, y, batch_size=16, epochs=100, callbacks=[swarm])

Put it last in the list: then callbacks before it see what was trained here, and the merged model
is what stays. Loss and metric are those of `compile`.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras

from node_agent.callbacks import base
from node_agent.callbacks.errors import ModelError
from node_agent.callbacks.keras_data import ValidationData
from node_agent.callbacks.keras_feed import Feed, in_order
from node_agent.callbacks.keras_model import KerasTrainee
from node_agent.callbacks.keras_resume import KerasResume
from node_agent.callbacks.resume import Epoch
from node_agent.callbacks.settings import settings_of
from node_agent.parameters.format import ParameterFile, Written

OWN = ("adsValData", "adsValBatchSize", "samplesPerBatch", "deterministic", "logger")


class SwarmCallback(base.SwarmCallback, keras.callbacks.Callback):
    """A `keras.callbacks.Callback` for `model.fit`.

    Args:
        syncFrequency: batches between syncs; the terms of the run fix it.
        minPeers: organizations needed to seal a round; the terms of the run fix it.
        trainingContract: name or id of the run; None for whatever run the agent is set to.
        adsValData: what losses are measured on: (x, y), (x, y, sample_weight), a tf.data.Dataset, a
            PyDataset, a DataLoader or a generator that ends; None for the run's agreed data set.
        adsValBatchSize: for arrays.
        samplesPerBatch: for models with a train_step of their own. Keras does not tell a callback
            the size of a batch, and it is taken from the weight of its own loss tracker.
        deterministic: keep what a killed and restarted script needs to end with the same bytes, on
            TensorFlow. `fit` takes its data from `batches`.
        logger: instead of the logger `swarm`, which writes to stdout.
        **common: see `node_agent.callbacks.settings.COMMON`; what is unknown is refused, with a
            hint that names the nearest parameter.

    Raises:
        InvalidParameter: a parameter is unknown or makes no sense.
    """

    def __init__(
        self,
        syncFrequency: int,
        minPeers: int,
        trainingContract: str | None = None,
        *,
        adsValData: Any = None,
        adsValBatchSize: int | None = None,
        samplesPerBatch: int | None = None,
        deterministic: bool = False,
        logger: logging.Logger | None = None,
        **common: Any,
    ) -> None:
        keras.callbacks.Callback.__init__(self)
        common["trainingContract"] = trainingContract
        settings = settings_of(syncFrequency, minPeers, common, own=OWN)
        data = None if adsValData is None else ValidationData.of(adsValData, adsValBatchSize)
        self._keras = KerasTrainee(data, adsValBatchSize, samplesPerBatch)
        self._batches_in_epoch = 0
        base.SwarmCallback.__init__(self, settings, self._keras, logger)
        self._feed: Feed | None = None
        wanted = deterministic and not self._loopback
        self._resume = KerasResume(lambda: self.model) if wanted else None
        self.keep(self._resume)

    def batches(self, data: Epoch) -> Any:
        """Return what `fit` takes as its data; a restarted deterministic script goes on in it.

        Args:
            data: a tf.data.Dataset, a PyDataset, a list of batches, or a function of the epoch's
                number that returns one of them. Only a seed and the epoch decide what comes out.
                It yields sample weights itself: the class_weight of `fit` does not reach it.

        Raises:
            InvalidParameter: nobody can tell how many batches it has.
        """
        self._feed = Feed(data) if self._resume is None else self._resume.feed(data)
        return in_order(self._feed)

    def set_model(self, model: Any) -> None:
        super().set_model(model)
        self._keras.model = model

    def on_train_begin(self, *_: Any, **__: Any) -> None:
        executed = getattr(self.model, "steps_per_execution", 1)
        if type(executed) is not int or self._settings.sync_frequency % executed:
            raise ModelError(
                f"steps_per_execution is {executed}, which does not divide syncFrequency, "
                f"{self._settings.sync_frequency}",
                hint="Keras calls back only every steps_per_execution batches: choose a divisor.",
            )
        self._total_epochs = self._total_epochs or int((self.params or {}).get("epochs") or 0)
        super().on_train_begin()
        if self._keeper is not None:
            self.model._initial_epoch = self._keeper.epoch  # as Keras' own BackupAndRestore
        self._stop_if_finished()

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        self._batches_in_epoch = 0
        self._keras.start_epoch()
        if self._keeper is not None:
            self.model._initial_epoch = None  # `fit` has read it
            self._keeper.start_epoch(epoch)
        elif self._feed is not None:
            self._feed.start(epoch, 0, "")

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Count the batches since the last call: Keras may run several in one."""
        steps = batch + 1 - self._batches_in_epoch
        self._batches_in_epoch = batch + 1
        if self._resume is not None and not self._resume.trained(steps):
            return
        if self._resume is None and self._feed is not None:
            self._feed.trained(batch + 1)
        samples, loss = self._keras.take_batches(steps)
        counted: dict[str, Any] = {"steps": steps, "size": samples, "loss": loss}
        super().on_batch_end(batch, counted)
        self._stop_if_finished()

    def on_epoch_end(self, epoch: Any = None, logs: Any = None, **_: Any) -> bool:
        finished = super().on_epoch_end(epoch)
        self._stop_if_finished()
        return finished

    def _stop_if_finished(self) -> None:
        if self.finished:
            self.model.stop_training = True


def save_parameters(model: Any, path: Path) -> Written:
    """Write what travels of a model: the initial parameters that an agreement names."""
    return _trainee(model).write(path, {"format": "swarm-1", "kind": "initial"})


def load_parameters(model: Any, path: Path) -> None:
    """Put a run's parameters into a model that is built as in training; then `model.save` it.

    Raises:
        ModelError: naming the first tensor that is missing, too many, or of another kind.
    """
    _trainee(model).load(ParameterFile.open(path))


def _trainee(model: Any) -> KerasTrainee:
    trainee = KerasTrainee(None, None, None)
    trainee.model = model
    trainee.attach()
    return trainee
