"""Models in use after training: predicted with by a file's numbers, also over HTTP."""

from __future__ import annotations

import io
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import numpy as np
import pytest
from aiohttp import web

from node_agent.callbacks.errors import CallbackError, ModelError
from node_agent.callbacks.inference import load
from node_agent.callbacks.inference_files import read, write
from node_agent.callbacks.inference_server import Server
from node_agent.parameters import format as files
from node_agent.parameters.format import ParameterFile

HERE = "tests.callbacks.test_inference"
CARD = {"merged_root": "0x12"}
TENSORS = {
    "weight": np.array([[1, 2, 3]], np.float32),
    "bias": np.array([0.5], np.float32),
}


def linear() -> object:
    import torch

    return torch.nn.Linear(3, 1)


def wider() -> object:
    import torch

    return torch.nn.Linear(4, 1)


def estimator() -> object:
    from sklearn.linear_model import SGDRegressor

    return SGDRegressor().partial_fit(np.zeros((2, 3)), np.zeros(2))


def nothing() -> object:
    return object()


@pytest.fixture
def file(tmp_path: Path) -> ParameterFile:
    path = tmp_path / "model.safetensors"
    files.write(path, TENSORS, {"format": "swarm-1"})
    return ParameterFile.open(path)


def test_a_torch_model_predicts_with_the_files_numbers(file: ParameterFile) -> None:
    predict = load(f"{HERE}:linear", file)
    assert predict({"": np.array([[1, 1, 1]], np.float32)}) == pytest.approx(6.5)


def test_an_estimator_predicts_with_the_files_numbers(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    tensors = {"coef_": np.array([1, 2, 3], np.float32), "intercept_": np.array([1], np.float32)}
    files.write(path, tensors, {})
    predict = load(f"{HERE}:estimator", ParameterFile.open(path))
    assert predict({"": np.ones((1, 3))}) == pytest.approx(7)


def test_a_model_that_does_not_fit_is_refused_by_the_tensors_name(file: ParameterFile) -> None:
    with pytest.raises(ModelError, match="weight"):
        load(f"{HERE}:wider", file)


@pytest.mark.parametrize("program", ["linear", f"{HERE}:nothing", f"{HERE}:nobody", "no_such:f"])
def test_a_program_that_builds_no_model_is_refused(program: str, file: ParameterFile) -> None:
    with pytest.raises(CallbackError):
        load(program, file)


def test_rows_are_read_from_csv_npy_and_npz(tmp_path: Path) -> None:
    rows = np.array([[1, 2], [3, 4]], np.float32)
    (tmp_path / "a.csv").write_text("age,size\n1,2\n3,4\n")
    np.save(tmp_path / "a.npy", rows)
    np.savez(tmp_path / "a.npz", inputs=rows, targets=rows)
    np.savez(tmp_path / "b.npz", input_ids=rows, attention_mask=rows)
    for name in ("a.csv", "a.npy", "a.npz"):
        assert np.array_equal(read(tmp_path / name)[""], rows)
    assert set(read(tmp_path / "b.npz")) == {"input_ids", "attention_mask"}


@pytest.mark.parametrize("name", ["a.csv", "a.npy", "a.npz", "a.txt", "missing.csv"])
def test_what_holds_no_numbers_is_refused(name: str, tmp_path: Path) -> None:
    if not name.startswith("missing"):
        (tmp_path / name).write_bytes(b"x,y\nnot,numbers\n")
    with pytest.raises(CallbackError):
        read(tmp_path / name)


def test_a_pickle_is_never_opened(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array([{"a": 1}]), allow_pickle=True)
    with pytest.raises(CallbackError):
        read(tmp_path / "a.npy")


def test_predictions_are_written_as_they_are_read(tmp_path: Path) -> None:
    answers = np.array([[0.25], [1.5]], np.float32)
    for name in ("out.csv", "out.npy"):
        write(answers, tmp_path / name)
        assert np.array_equal(read(tmp_path / name)[""], answers)


async def test_a_server_answers_and_says_what_is_wrong(file: ParameterFile) -> None:
    runner = web.AppRunner(Server(load(f"{HERE}:linear", file), CARD).app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    npy = io.BytesIO()
    np.save(npy, np.ones((2, 3), np.float32))
    async with httpx.AsyncClient(base_url=url) as client:
        answer = await client.post("/predict", json={"inputs": [[1, 1, 1]]})
        assert answer.json() == {"outputs": [[6.5]], "model": "0x12"}
        answer = await client.post(
            "/predict", content=npy.getvalue(), headers={"Content-Type": "application/x-npy"}
        )
        assert np.load(io.BytesIO(answer.content)) == pytest.approx(6.5)
        assert (await client.get("/model")).json() == CARD
        for body, status in (
            ({"inputs": [[1, 2]]}, 422),
            ({"inputs": [[1, 2], [3]]}, 400),
            ({"inputs": "text"}, 400),
            ({"rows": []}, 400),
            ([], 400),
        ):
            answer = await client.post("/predict", json=body)
            assert answer.status_code == status, body
            assert answer.headers["content-type"].startswith("application/problem+json")
        assert (await client.get("/predict")).status_code == 405
    await runner.cleanup()


def test_serving_ends_cleanly_when_told(file: ParameterFile, tmp_path: Path) -> None:
    card = tmp_path / "card.json"
    card.write_text('{"merged_root": "0x12"}')
    command = [sys.executable, "-m", "node_agent.callbacks.inference", "serve"]
    command += ["--file", str(file.path), "--program", f"{HERE}:linear", "--card", str(card)]
    command += ["--host", "127.0.0.1", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        address = process.stdout.readline()
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/predict\n", address)
        assert httpx.get(address.replace("/predict\n", "/healthz")).json() == {"model": "0x12"}
        os.kill(process.pid, signal.SIGTERM)
        assert process.wait(10) == 0
