"""Trainer: dropout, AdamW, a linear schedule, accumulated gradients, evaluations in between."""

from __future__ import annotations

import os
from typing import Any

import torch
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    Trainer,
    TrainerCallback,
    TrainingArguments,
)

from node_agent.callbacks.huggingface import SwarmCallback
from tests.callbacks.deterministic.killed import (
    BATCH_SIZE,
    DETERMINISTIC,
    FEATURES,
    ROWS,
    SEED,
    WINDOW,
    in_a_batch,
)


class Killed(TrainerCallback):
    def on_pre_optimizer_step(self, *_: Any, **__: Any) -> None:
        in_a_batch()


def main() -> None:
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(SEED)
    words = torch.randint(40, (ROWS, FEATURES), generator=generator)
    rows = [{"input_ids": each, "labels": int(each.sum() % 2)} for each in words]
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=40,
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
    )
    model = BertForSequenceClassification(config)
    arguments = TrainingArguments(
        os.environ["SCRATCH_DIR"],
        num_train_epochs=20,
        per_device_train_batch_size=BATCH_SIZE // 2,
        gradient_accumulation_steps=2,
        learning_rate=0.01,
        eval_strategy="steps",
        eval_steps=3,
        save_strategy="no",
        report_to=[],
        disable_tqdm=True,
        use_cpu=True,
        seed=SEED,
    )
    swarm = SwarmCallback(WINDOW, 2, model=model, adsValData=rows, deterministic=DETERMINISTIC)
    trainer = Trainer(
        model=model,
        args=arguments,
        train_dataset=rows,
        eval_dataset=rows[:10],
        callbacks=[Killed(), swarm],
    )
    trainer.train(resume_from_checkpoint=swarm.checkpoint(trainer))


if __name__ == "__main__":
    main()
