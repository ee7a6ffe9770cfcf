"""Two topics of sentences with the Trainer of Hugging Face.

DATA_DIR=… python examples/frameworks/trainer_script.py     # data: examples/hpe/README.md
"""

import os
from pathlib import Path

import numpy as np
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    Trainer,
    TrainingArguments,
    set_seed,
)

data_dir, max_epochs = Path(os.environ["DATA_DIR"]), int(os.environ.get("MAX_EPOCHS", "3"))
set_seed(0)


def rows(name: str) -> list[dict[str, object]]:
    with np.load(data_dir / f"{name}.npz") as table:
        return [
            {"input_ids": x, "labels": int(y)} for x, y in zip(table["x"], table["y"], strict=True)
        ]


training, validation = rows("train"), rows("validation")
config = BertConfig(vocab_size=40, hidden_size=32, num_hidden_layers=1, num_attention_heads=2)
model = BertForSequenceClassification(config)
arguments = TrainingArguments(
    os.environ.get("SCRATCH_DIR", "trained"), num_train_epochs=max_epochs, report_to=[]
)

trainer = Trainer(model=model, args=arguments, train_dataset=training)
trainer.train()

trainer.save_model()
