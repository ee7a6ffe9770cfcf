from __future__ import annotations

import pytest

from tests.callbacks.in_its_own_process import run_cases


@pytest.mark.slow
def test_keras_on_tensorflow() -> None:
    run_cases("keras_cases.py", frameworks=("tensorflow",), KERAS_BACKEND="tensorflow")


@pytest.mark.slow
def test_the_trainer_of_hugging_face_and_keras_on_pytorch() -> None:
    run_cases(
        "huggingface_cases.py",
        "keras_cases.py",
        frameworks=("transformers", "peft", "keras"),
        KERAS_BACKEND="torch",
        HF_HUB_OFFLINE="1",
    )
