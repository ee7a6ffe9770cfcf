from __future__ import annotations

import pytest

from tests.callbacks.in_its_own_process import run_cases


@pytest.mark.slow
def test_the_trainer_of_hugging_face() -> None:
    run_cases("huggingface_cases.py", "transformers", HF_HUB_OFFLINE="1")
