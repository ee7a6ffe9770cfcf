"""Swarm learning for the Trainer of Hugging Face transformers, whole models or adapters.

    swarm = SwarmCallback(syncFrequency=8, minPeers=2, model=model, adsValData=validation)
    Trainer(model=model, ..., callbacks=[swarm]).train()

`syncFrequency` counts optimizer steps. With `hfMode="peft"` only adapter weights travel.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
import transformers

from node_agent.callbacks import base
from node_agent.callbacks.errors import InvalidParameter
from node_agent.callbacks.huggingface_data import Collate, labelled, labelled_file
from node_agent.callbacks.huggingface_resume import TrainerResume, scaler_of
from node_agent.callbacks.pytorch import OWN as PYTORCH_OWN
from node_agent.callbacks.pytorch import TorchTrainee
from node_agent.callbacks.pytorch_data import ValidationData
from node_agent.callbacks.pytorch_functions import Loss, Metric, metric_of
from node_agent.callbacks.pytorch_local import LocalOptions
from node_agent.callbacks.pytorch_model import TorchModel
from node_agent.callbacks.settings import settings_of

OWN = (*PYTORCH_OWN, "hfMode")
MODES = ("full", "peft")


class SwarmCallback(base.SwarmCallback, transformers.TrainerCallback):
    """A `transformers.TrainerCallback`.

    Args:
        syncFrequency: optimizer steps between syncs; the terms of the run fix it.
        minPeers: organizations needed to seal a round; the terms of the run fix it.
        trainingContract: name or id of the run; None for whatever run the agent is set to.
        model: the model that the Trainer trains. Its state travels, but for what is frozen.
        hfMode: full, or peft: only the trainable parameters of a `peft` model travel.
        adsValData: what losses are measured on: a data set whose rows the Trainer's own collator
            takes, or a DataLoader of such batches; None for the run's agreed data set.
        adsValBatchSize: for data that are not in batches yet.
        lossFunction: name of a class in torch.nn, or a function (logits, labels) -> tensor; by
            default the model's own loss.
        lossFunctionArgs: for the class.
        metricFunction: name of a class in torchmetrics, or a function (logits, labels) -> float.
        metricFunctionArgs: for the class.
        proximal: as for PyTorch, as is scaffold.
        deterministic: keep what a killed and restarted script needs to end with the same bytes.
            It trains by `trainer.train(resume_from_checkpoint=swarm.checkpoint(trainer))`.
        state: for that, what the Trainer has not: its optimizer and the like are known.
        logger: instead of the logger `swarm`, which writes to stdout.
        **common: see `node_agent.callbacks.settings.COMMON`; what is unknown is refused, with a
            hint that names the nearest parameter.

    Raises:
        InvalidParameter: a parameter is unknown, missing or makes no sense.
    """

    def __init__(
        self,
        syncFrequency: int,
        minPeers: int,
        trainingContract: str | None = None,
        *,
        model: torch.nn.Module | None = None,
        hfMode: str = "full",
        adsValData: Any = None,
        adsValBatchSize: int | None = None,
        lossFunction: str | Callable[..., Any] | None = None,
        lossFunctionArgs: Mapping[str, Any] | None = None,
        metricFunction: str | Callable[..., Any] | None = None,
        metricFunctionArgs: Mapping[str, Any] | None = None,
        proximal: float = 0.0,
        scaffold: bool = False,
        deterministic: bool = False,
        state: Sequence[Any] = (),
        logger: logging.Logger | None = None,
        **common: Any,
    ) -> None:
        common["trainingContract"] = trainingContract
        settings = settings_of(syncFrequency, minPeers, common, own=OWN)
        if not isinstance(model, torch.nn.Module):
            raise InvalidParameter(f"model must be the model that is trained, not {model!r}")
        loss = None if lossFunction is None else Loss(lossFunction, lossFunctionArgs)
        metric = metric_of(metricFunction, metricFunctionArgs)
        travelling = _travelling(model, hfMode)
        local = LocalOptions(travelling, proximal, scaffold)
        self._hf = HuggingFaceTrainee(travelling, adsValData, adsValBatchSize, loss, metric, local)
        self._samples = 0
        super().__init__(settings, self._hf, logger)
        wanted = deterministic and not self._loopback
        self._resume = TrainerResume([*state, local]) if wanted else None
        self.keep(self._resume)

    def checkpoint(self, trainer: transformers.Trainer) -> str | None:
        """Return where a killed and restarted script goes on, for `resume_from_checkpoint`.

        None before its first sync, and without the deterministic option. Joins the run.

        Raises:
            ModelError: the model cannot be written as the Trainer reads it.
        """
        if self._resume is None:
            return None
        self._begin(trainer.args, trainer.data_collator)
        return self._resume.checkpoint(trainer.model)

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> Any:
        loader, optimizer = kwargs.get("train_dataloader"), kwargs.get("optimizer")
        self._begin(args, getattr(loader, "collate_fn", None))
        if self._resume is not None:
            objects = (optimizer, kwargs.get("lr_scheduler"), scaler_of(optimizer))
            self._resume.begin(args, state, loader, objects)
        return self._told(control)

    def _begin(self, args: Any, collate: Collate | None) -> None:
        self._hf.take_collator(collate)
        self._total_epochs = self._total_epochs or round(args.num_train_epochs)
        super().on_train_begin()

    def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Begin a window with the random numbers that a restart would begin it with."""
        if self._resume is not None:
            self._resume.step_begins()

    def on_substep_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Count the samples of a batch whose gradients are only accumulated."""
        self._samples += self._hf.take_batch_samples()

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> Any:
        samples, self._samples = self._samples + self._hf.take_batch_samples(), 0
        if self._resume is not None:
            self._resume.step_ended(state)
        super().on_batch_end(logs={"size": samples})
        return self._told(control)

    def on_epoch_end(  # type: ignore[override]  # the Trainer calls with arguments of its own
        self, args: Any, state: Any, control: Any, **_: Any
    ) -> Any:
        super().on_epoch_end()
        return self._told(control)

    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        super().on_train_end()

    def _told(self, control: Any) -> Any:
        if self.finished:
            control.should_training_stop = True
        return control


class HuggingFaceTrainee(TorchTrainee):
    """As for PyTorch, but for batches that are dictionaries, and a model that has its own loss."""

    framework = "huggingface"

    def __init__(
        self,
        model: TorchModel,
        validation: Any,
        batch_size: int | None,
        loss: Loss | None,
        metric: Metric,
        local: LocalOptions,
    ) -> None:
        of_logits = OwnLoss() if loss is None else LogitsLoss(loss)
        super().__init__(model, None, batch_size, of_logits, LogitsMetric(metric), local)
        self._validation = validation

    def take_collator(self, collate: Collate | None) -> None:
        """Put the script's validation data into batches as the Trainer does the training data."""
        if self._validation is not None:
            collate = collate or transformers.default_data_collator
            data = labelled(self._validation, self._batch_size, collate, self._model.module)
            self._evaluator = self._on(data)

    def _agreed(self, path: Any) -> ValidationData:
        return labelled_file(path, self._batch_size)


class OwnLoss(Loss):
    """The loss that the model works out itself from the labels among its inputs."""

    def __init__(self) -> None:
        super().__init__(lambda outputs, labels: outputs.loss, None)


class LogitsLoss(Loss):
    """A loss of the script's, on the model's logits."""

    def __init__(self, loss: Loss) -> None:
        self._of_logits = loss
        super().__init__(lambda outputs, labels: loss.batch_mean(outputs.logits, labels), None)

    def to(self, device: torch.device) -> None:
        self._of_logits.to(device)


class LogitsMetric:
    """A metric of the script's, on the model's logits."""

    def __init__(self, metric: Metric) -> None:
        self._metric = metric

    def start(self) -> None:
        self._metric.start()

    def add(self, outputs: Any, targets: torch.Tensor) -> None:
        self._metric.add(outputs.logits, targets)

    def value(self) -> float:
        return self._metric.value()


class AdapterModel(TorchModel):
    """Only what is trained of a model: adapters, and modules that are trained with them."""

    def state(self) -> dict[str, torch.Tensor]:
        trained = self.gradient_targets()
        return {name: value for name, value in super().state().items() if name in trained}


def _travelling(model: torch.nn.Module, mode: str) -> TorchModel:
    if mode not in MODES:
        raise InvalidParameter(f"hfMode must be one of {', '.join(MODES)}, not {mode!r}")
    if mode == "full":
        return TorchModel(model)
    if not hasattr(model, "peft_config"):
        raise InvalidParameter(
            "hfMode is 'peft', but the model has no adapters",
            hint="Pass the model that peft.get_peft_model returned, to Trainer and callback.",
        )
    return AdapterModel(model)
