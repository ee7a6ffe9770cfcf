"""What an operator reads afterwards, and what he sends to whoever helps him."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import re
import shutil
import stat
import subprocess
import tarfile
import threading
from collections.abc import Iterator
from logging.handlers import RotatingFileHandler
from pathlib import Path

import pytest

import node_agent
from contracts.keys import new_key, save_key
from node_agent.cli import call
from node_agent.errors import AgentStateError
from node_agent.logs import configure
from node_agent.operations import bundle, logbook

SAMPLES = Path(node_agent.__file__).parent / "samples"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "agent" / "agent.toml"
    path.parent.mkdir(mode=0o700)
    path.write_text((SAMPLES / "minimal.toml").read_text())
    return path


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    for handler in root.handlers:
        if handler not in handlers:
            handler.close()
    root.handlers, root.level = handlers, level


def _write(folder: Path) -> None:
    configure("text", "debug", folder)
    log = logging.getLogger("node_agent.test")
    log.info("Round 1 is sealed.")
    log.warning("The update of rhine is left out.")
    try:
        raise ValueError("torn")
    except ValueError:
        log.exception("The merge failed.")


def test_the_log_is_kept_in_the_folder_and_shown(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _write(config.parent)
    assert stat.S_IMODE((config.parent / logbook.NAME).stat().st_mode) == 0o600
    capsys.readouterr()

    assert call(["logs", "--config", str(config), "-n", "2"]) == 0
    shown = capsys.readouterr().out
    assert "sealed" not in shown
    assert "WARNING The update of rhine is left out." in shown
    assert "ValueError: torn" in shown

    assert call(["logs", "--config", str(config), "--level", "error", "--json"]) == 0
    entries = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [each["message"] for each in entries] == ["The merge failed."]


def test_a_line_that_a_crash_has_torn_is_passed_over(tmp_path: Path) -> None:
    _write(tmp_path)
    whole = logbook.last(tmp_path, 10)
    with (tmp_path / logbook.NAME).open("a") as file:
        file.write('{"time": "2026-01-0')
    assert logbook.last(tmp_path, 10) == whole


def test_following_goes_on_when_the_file_is_turned_over(tmp_path: Path) -> None:
    configure("text", "info", tmp_path)
    log = logging.getLogger("node_agent.test")
    log.info("before anyone watched")
    handler = next(h for h in logging.getLogger().handlers if isinstance(h, RotatingFileHandler))

    def write() -> None:
        log.info("one")
        handler.doRollover()
        log.info("two")

    followed = logbook.follow(tmp_path)
    later = threading.Timer(0.3, write)
    later.start()
    assert [next(followed)["message"], next(followed)["message"]] == ["one", "two"]
    later.join()


def test_without_a_log_the_hint_says_why(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["logs", "--config", str(config)]) == AgentStateError.exit_code
    assert "has the agent run" in capsys.readouterr().err


def test_the_bundle_has_what_helps_and_no_secret(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = config.parent
    key = new_key()
    save_key(folder / "node.key", key)
    secrets = [
        (folder / "node.key").read_text().strip(),
        "hunter2",
        "v3-provider-key",
        "eyJ0b2tlbiI6InNlY3JldCJ9",
        "lease-payload.lease-signature",
        "-----BEGIN PRIVATE KEY-----",
    ]
    text = config.read_text().replace(
        "http://127.0.0.1:8545", "https://me:hunter2@chain.example/v3-provider-key?k=hunter2"
    )
    config.write_text(text)
    (folder / "enrollment.json").write_text(json.dumps({"token": secrets[3]}))
    (folder / "lease").write_text(secrets[4])
    (folder / "svid.pem").write_text(secrets[5])
    (folder / "rounds.jsonl").write_text('{"round": 1}\n')
    configure("text", "info", folder)
    logging.getLogger("x").info("chain at https://me:hunter2@chain.example/v3-provider-key")

    out = tmp_path / "bundle.tar.gz"
    assert call(["collect-logs", "--config", str(config), "--out", str(out)]) == 0
    assert capsys.readouterr().out == f"{out}\n"
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    with tarfile.open(out) as archive:
        held = {m.name: archive.extractfile(m).read().decode() for m in archive}  # type: ignore[union-attr]  # all are files
    assert {Path(name).name for name in held} == {
        "about.json", "status.json", "validate.json", "agent.toml", "folder.json", "agent.log",
        "rounds.jsonl",
    }  # fmt: skip
    for name, content in held.items():
        for secret in secrets:
            assert secret not in content, f"{secret} is in {name}"
    assert "https://…@chain.example/…" in held["swarm-node/agent.toml"]
    assert "spiffe://swarm.example/org/clinic-a/node/site-1" in held["swarm-node/agent.toml"]
    assert "no agent at" in held["swarm-node/status.json"]
    assert "node.key" in held["swarm-node/folder.json"]


@pytest.mark.parametrize(
    ("text", "blotted"),
    [
        ('"http://127.0.0.1:8545"', '"http://127.0.0.1:8545"'),
        ("https://rpc.example/v3/KEY.", "https://rpc.example/…"),
        ("https://rpc.example?key=KEY", "https://rpc.example"),
        ("postgresql://u:p@db/x", "postgresql://…@db/…"),
        ("spiffe://a.example/org/b/node/c", "spiffe://a.example/org/b/node/c"),
    ],
)
def test_addresses_lose_what_may_be_a_secret(text: str, blotted: str) -> None:
    assert bundle.blot(text) == blotted


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not here")
def test_systemd_takes_the_unit(config: Path, tmp_path: Path) -> None:
    unit = tmp_path / "swarm-node.service"
    unit.write_text(_unit(config))
    done = subprocess.run(
        ["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_the_unit_names_this_program_these_settings_and_their_owner(config: Path) -> None:
    unit = _unit(config)
    assert f"--config {config}" in unit
    assert f"User={config.owner()}" in unit
    assert f"ReadWritePaths={config.parent}" in unit
    assert re.search(r"^ExecStart=/\S+ run ", unit, re.MULTILINE)
    assert "$" not in unit


def _unit(config: Path) -> str:
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        assert call(["systemd", "--config", str(config)]) == 0
    return out.getvalue()
