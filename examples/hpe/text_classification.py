"""Two topics of sentences, with the Trainer of Hugging Face and a small model made on the spot.

`HF_MODE=peft` trains LoRA adapters on a frozen model instead, and only they travel.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch
from swarmlearning.hf_transformers import SwarmCallback
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    Trainer,
    TrainingArguments,
    set_seed,
)

from examples.hpe.data import SENTENCE, WORDS, read


class Sentences(torch.utils.data.Dataset[dict[str, torch.Tensor]]):
    """Rows as the Trainer takes them."""

    def __init__(self, folder: Path, name: str) -> None:
        self.x, self.y = (torch.from_numpy(part) for part in read(folder, name))

    def __len__(self) -> int:
        return len(self.y)

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        return {"input_ids": self.x[index], "labels": self.y[index]}


def build_model(mode: str) -> Any:
    """A BERT of one layer; in mode peft frozen, with adapters. Every site makes the same one."""
    set_seed(0)
    config = BertConfig(
        vocab_size=WORDS,
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=SENTENCE,
        num_labels=2,
    )
    model = BertForSequenceClassification(config)
    if mode == "full":
        return model
    from peft import LoraConfig, get_peft_model

    targets = ["query", "value", "dense"]
    return get_peft_model(model, LoraConfig(task_type="SEQ_CLS", r=4, target_modules=targets))


def accuracy(logits: torch.Tensor, labels: torch.Tensor) -> float:
    """Share of sentences whose topic is found."""
    return float((logits.argmax(1) == labels).double().mean())


def main() -> None:
    data_dir = Path(os.getenv("DATA_DIR", "/platform/data"))
    model_dir = Path(os.getenv("MODEL_DIR", "/platform/model"))
    scratch_dir = Path(os.getenv("SCRATCH_DIR", "/tmp"))
    max_epochs = int(os.getenv("MAX_EPOCHS", "3"))
    mode = os.getenv("HF_MODE", "full")

    model = build_model(mode)
    swarm = SwarmCallback(
        syncFrequency=16,
        minPeers=int(os.getenv("MIN_PEERS", "2")),
        model=model,
        hfMode=mode,
        adsValData=Sentences(data_dir, "validation"),
        adsValBatchSize=128,
        metricFunction=accuracy,
        totalEpochs=max_epochs,
    )
    arguments = TrainingArguments(
        output_dir=str(scratch_dir),
        num_train_epochs=max_epochs,
        per_device_train_batch_size=16,
        learning_rate=5e-3,
        save_strategy="no",
        report_to=[],
        use_cpu=True,
        disable_tqdm=True,
    )
    training = Sentences(data_dir, "train")
    Trainer(model=model, args=arguments, train_dataset=training, callbacks=[swarm]).train()
    model.save_pretrained(model_dir)
    print(f"saved in {model_dir}")


if __name__ == "__main__":
    main()
