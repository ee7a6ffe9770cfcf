"""Run by test_frameworks.py: the real Trainer on models that are made here, nothing is fetched."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import Any

import numpy as np
import peft
import pytest
import torch
import transformers

from node_agent.callbacks.errors import InvalidParameter, ModelError
from node_agent.callbacks.huggingface import SwarmCallback
from node_agent.callbacks.huggingface_resume import TrainerResume
from node_agent.parameters.format import ParameterFile, write
from tests.callbacks.readme import diff_in_readme
from tests.callbacks.stand_in import Line, StandInAgent, load, stop

POINTS = ((0.1127016654, 5 / 18), (0.5, 8 / 18), (0.8872983346, 5 / 18))


def rows(count: int = 48) -> list[dict[str, Any]]:
    """Sentences of 8 words out of 20; the label says whether word 3 is among them."""
    generator = np.random.default_rng(0)
    words = generator.integers(3, 20, size=(count, 8))
    return [
        {"input_ids": row.tolist(), "attention_mask": [1] * 8, "label": int(3 in row), "text": "…"}
        for row in words
    ]


class Rows(torch.utils.data.Dataset[dict[str, Any]]):
    def __init__(self, kept: list[dict[str, Any]]) -> None:
        self.kept = kept

    def __len__(self) -> int:
        return len(self.kept)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return self.kept[index]


def model() -> Any:
    config = transformers.BertConfig(
        vocab_size=20,
        hidden_size=8,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=8,
        num_labels=2,
    )
    return transformers.BertForSequenceClassification(config)


def adapted() -> Any:
    lora = peft.LoraConfig(task_type="SEQ_CLS", r=2, target_modules=["query", "value"])
    return peft.get_peft_model(model(), lora)


def accuracy(logits: torch.Tensor, labels: torch.Tensor) -> float:
    return float((logits.argmax(1) == labels).double().mean())


def callback(trained: Any, **parameters: Any) -> SwarmCallback:
    settings: dict[str, Any] = {"syncFrequency": 2, "minPeers": 2, "adsValData": Rows(rows(32))}
    return SwarmCallback(**settings | {"model": trained, "metricFunction": accuracy} | parameters)


def trainer(trained: Any, swarm: SwarmCallback, folder: Path, **arguments: Any) -> Any:
    given: dict[str, Any] = {
        "output_dir": str(folder / "out"),
        "num_train_epochs": 9,
        "per_device_train_batch_size": 8,
        "learning_rate": 1e-2,
        "save_strategy": "no",
        "report_to": [],
        "use_cpu": True,
        "disable_tqdm": True,
    }
    return transformers.Trainer(
        model=trained,
        args=transformers.TrainingArguments(**given | arguments),
        train_dataset=Rows(rows()),
        callbacks=[swarm],
    )


def outputs_of(trained: Any) -> torch.Tensor:
    trained.eval()
    with torch.no_grad():
        logits: torch.Tensor = trained(input_ids=torch.arange(8)[None]).logits
    return logits


def test_with_the_trainer_tensorflow_is_not_imported() -> None:
    assert "tensorflow" not in sys.modules


@pytest.mark.parametrize("make", [model, adapted])
def test_a_trainer_takes_part_and_ends_with_the_run(
    make: Any, socket_path: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    trained = make()
    mode = "full" if make is model else "peft"
    start, update, final = (tmp_path / name for name in ("start", "update", "final"))

    def agent(line: Line) -> None:
        line.welcome()
        schema = line.hear()["schema"]
        if mode == "peft":
            assert all("lora" in name or "classifier" in name for name in schema)
        line.ask({"do": "write", "path": str(start), "metadata": {}})
        line.ask(load(start))
        sync = line.hear()
        # Two optimizer steps of two accumulated batches of eight.
        assert (sync["steps"], sync["samples"]) == (2, 32)
        line.ask({"do": "write", "path": str(update), "metadata": {}})
        paths = {"base": str(start), "merged": str(update), "gradient": str(tmp_path / "gradient")}
        measured = line.ask({"do": "evaluate", **paths, "points": POINTS})
        before, after, gradient = (
            ParameterFile.open(path).tensors() for path in (start, update, tmp_path / "gradient")
        )
        explained = sum(float(np.sum(g * (after[n] - before[n]))) for n, g in gradient.items())
        difference = measured["loss_after"] - measured["loss_before"]
        assert explained == pytest.approx(difference, rel=0.05, abs=1e-4)
        assert 0.2 < measured["metric"] <= 1
        write(final, {name: array + np.float32(0.5) for name, array in before.items()}, {})
        line.ask(stop(final))

    log = logging.getLogger("test")
    with StandInAgent(socket_path, agent) as stand_in:
        swarm = callback(trained, hfMode=mode, logger=log)
        result = trainer(trained, swarm, tmp_path, gradient_accumulation_steps=2).train()
    assert result.global_step == 2
    assert stand_in.heard[0]["framework"] == "huggingface"
    assert "Final Swarm model was loaded." in caplog.messages[-1]
    loaded = ParameterFile.open(final)
    assert all(
        np.array_equal(trained.state_dict()[name].numpy(), loaded.tensor(name))
        for name in loaded.schema
    )


def test_loading_adapters_changes_the_model_and_leaves_its_trunk(tmp_path: Path) -> None:
    sender, receiver = adapted(), adapted()
    receiver.load_state_dict(sender.state_dict())
    with torch.no_grad():
        for name, parameter in sender.named_parameters():
            if "lora_B" in name:
                parameter.add_(0.5)
    assert not torch.allclose(outputs_of(sender), outputs_of(receiver))
    ours, theirs = (callback(each, hfMode="peft")._hf for each in (sender, receiver))
    ours.attach()
    theirs.attach()
    ours.write(tmp_path / "adapters", {})
    trunk = {n: p.clone() for n, p in receiver.named_parameters() if not p.requires_grad}
    theirs.load(ParameterFile.open(tmp_path / "adapters"))
    torch.testing.assert_close(outputs_of(receiver), outputs_of(sender))
    state = dict(receiver.named_parameters())
    assert trunk
    assert all(torch.equal(state[name], kept) for name, kept in trunk.items())
    write(tmp_path / "none", {"x": np.zeros(1, np.float32)}, {})
    with pytest.raises(ModelError, match=r"tensor 'base_model\.model.*' is missing"):
        theirs.load(ParameterFile.open(tmp_path / "none"))


def test_an_evaluation_leaves_no_trace(tmp_path: Path) -> None:
    trained = model().train()
    hf = callback(trained)._hf
    hf.attach()
    hf.take_collator(None)
    hf.write(tmp_path / "base", {})
    before = {name: value.clone() for name, value in trained.state_dict().items()}
    hf.evaluate(tmp_path / "base", tmp_path / "base", POINTS, tmp_path / "gradient")
    assert trained.training
    assert all(torch.equal(before[name], value) for name, value in trained.state_dict().items())
    assert all(parameter.grad is None for parameter in trained.parameters())


def test_the_agreed_validation_set_holds_the_models_inputs(tmp_path: Path) -> None:
    batch = transformers.default_data_collator(
        [{k: v for k, v in row.items() if k != "text"} for row in rows(32)]
    )
    write(tmp_path / "agreed", {name: value.numpy() for name, value in batch.items()}, {})
    trained = model()
    losses = []
    for data, path in ((Rows(rows(32)), None), (None, tmp_path / "agreed")):
        hf = callback(trained, adsValData=data)._hf
        hf.attach()
        hf.take_collator(None)
        hf.use_agreed_validation(path)
        hf.write(tmp_path / "base", {})
        losses.append(hf.evaluate(tmp_path / "base", tmp_path / "base", (), None).loss_after)
    assert losses[0] == pytest.approx(losses[1], rel=1e-6)


def test_modes_that_do_not_fit_the_model_are_refused() -> None:
    with pytest.raises(InvalidParameter, match="has no adapters"):
        callback(model(), hfMode="peft")
    with pytest.raises(InvalidParameter, match="hfMode must be one of full, peft"):
        callback(model(), hfMode="lora")
    with pytest.raises(InvalidParameter, match="no parameter 'hfmode'") as refused:
        callback(model(), hfmode="peft")
    assert refused.value.hint == "Did you mean hfMode?"


def test_the_readmes_script_becomes_a_swarm_script_by_the_lines_it_shows(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SWARM_LOOPBACK", "True")
    before, after, added = diff_in_readme("huggingface")
    assert added <= 5
    arguments = transformers.TrainingArguments(
        output_dir=str(tmp_path), num_train_epochs=1, report_to=[], use_cpu=True, disable_tqdm=True
    )
    trained = []
    for script in (before, after):
        transformers.set_seed(7)
        names = {
            "Trainer": transformers.Trainer,
            "model": model(),
            "arguments": arguments,
            "training": Rows(rows()),
            "validation": Rows(rows(8)),
        }
        exec(script, names)
        trained.append(names["model"].state_dict())
    assert all(torch.equal(trained[0][name], value) for name, value in trained[1].items())


def test_data_that_draw_random_numbers_cannot_be_gone_through_again(tmp_path: Path) -> None:
    def collate(kept: list[dict[str, Any]]) -> dict[str, Any]:
        words = torch.tensor([row["input_ids"] for row in kept])
        labels = torch.tensor([row["label"] for row in kept])
        return {"input_ids": words + torch.randint(2, words.shape), "labels": labels}

    def trainer(**changes: Any) -> transformers.Trainer:
        arguments = transformers.TrainingArguments(
            str(tmp_path), use_cpu=True, report_to=[], remove_unused_columns=False, **changes
        )
        return transformers.Trainer(
            model=model(), args=arguments, train_dataset=Rows(rows()), data_collator=collate
        )

    made = trainer()
    with pytest.raises(InvalidParameter, match="draws random numbers"):
        TrainerResume().begin(made.args, made.state, made.get_train_dataloader(), [])
    made = trainer(ignore_data_skip=True)
    with pytest.raises(InvalidParameter, match="ignore_data_skip is True"):
        TrainerResume().begin(made.args, made.state, made.get_train_dataloader(), [])
