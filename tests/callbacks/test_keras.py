from __future__ import annotations

import pytest

from tests.callbacks.in_its_own_process import run_cases


@pytest.mark.slow
@pytest.mark.parametrize(
    ("backend", "framework"), [("tensorflow", "tensorflow"), ("torch", "keras")]
)
def test_keras(backend: str, framework: str) -> None:
    run_cases("keras_cases.py", framework, KERAS_BACKEND=backend)
