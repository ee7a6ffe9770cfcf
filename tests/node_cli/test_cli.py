"""`swarm-node` as an operator or an orchestrator calls it: output, exit codes, hints, and speed."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

import node_agent
from contracts.keys import new_key, save_key
from node_agent.cli import call
from node_agent.errors import (
    CHAIN_EXIT_CODE,
    AgentStateError,
    ConfigError,
    IdentityError,
    LeaseError,
    MarketplaceError,
    MessageRefused,
    NodeError,
    ParameterError,
    PeerError,
    TrainingSocketError,
)
from tests.node_cli.market import DEPLOYMENT

SAMPLES = Path(node_agent.__file__).parent / "samples"
STATUS = {
    "state": "training",
    "round": 3,
    "peers": ["a", "b"],
    "usage": {
        "round": 2,
        "bytes_served": 2_500_000,
        "bytes_fetched": 1_250_000,
        "training_ms": 12_345,
        "evaluation_ms": 250,
        "merge_ms": 7,
        "samples": 812,
        "restarts": 0,
        "energy_j": None,
        "waiting_reports": 0,
    },
}
COMMANDS = (
    *("run", "validate", "healthcheck", "enroll", "status", "version"),
    *("logs", "collect-logs", "systemd", "models", "predict", "serve"),
)


@pytest.fixture
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("a") / "agent.toml"
    path.write_text((SAMPLES / "minimal.toml").read_text())
    return path


@pytest_asyncio.fixture
async def agent(config: Path) -> AsyncIterator[list[bytes]]:
    """Something that answers at the socket as the agent does; what it was asked."""
    asked: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readline())
        writer.write(json.dumps(STATUS).encode() + b"\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_unix_server(answer, config.parent / "agent.sock")
    yield asked
    server.close()


def test_exit_codes_are_unique_and_as_documented() -> None:
    documented = node_agent.errors.__doc__ or ""
    kinds = (
        ConfigError,
        IdentityError,
        LeaseError,
        PeerError,
        MarketplaceError,
        ParameterError,
        TrainingSocketError,
        AgentStateError,
    )
    codes = [kind.exit_code for kind in kinds]
    assert len(set(codes)) == len(codes)
    assert MessageRefused.exit_code == PeerError.exit_code
    for kind in (NodeError, *kinds):
        line = next(each for each in documented.splitlines() if f" {kind.__name__}" in each)
        assert line.split()[0] == str(kind.exit_code)


@pytest.mark.parametrize("command", [(), *((each,) for each in COMMANDS)])
def test_help_ends_with_an_example(
    command: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert call([*command, "--help"]) == 0
    shown = capsys.readouterr().out
    assert "Example: swarm-node" in shown.split("\n\n")[-1]


def test_an_unknown_command_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["frobnicate"]) == 2
    assert "No such command" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["run", "validate", "status"])
def test_without_settings_the_hint_says_where_they_come_from(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call([command, "--config", str(tmp_path)]) == ConfigError.exit_code
    captured = capsys.readouterr()
    assert captured.out == ""
    error, hint = captured.err.splitlines()
    assert error.startswith("error: ")
    assert hint.startswith("hint: ")


async def test_a_running_agent_is_healthy(agent: list[bytes], config: Path) -> None:
    assert await asyncio.to_thread(call, ["healthcheck", "--config", str(config)]) == 0
    assert [json.loads(line) for line in agent] == [{"op": "status"}]


def test_no_agent_is_not_healthy(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["healthcheck", "--config", str(config)]) == 1
    assert "no agent at" in capsys.readouterr().err


def test_no_agent_has_no_status(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["status", "--config", str(config)]) == AgentStateError.exit_code
    assert "is it running" in capsys.readouterr().err


async def test_status_is_a_table_for_people_and_json_for_programs(
    agent: list[bytes], config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await asyncio.to_thread(call, ["status", "--config", str(config)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "state  training",
        "round  3",
        'peers  ["a", "b"]',
        "usage  round 2: 2.500 MB served, 1.250 MB fetched, 12.345 s training, 0.250 s evaluation, "
        "0.007 s merge, 812 samples, energy not readable",
    ]
    assert await asyncio.to_thread(call, ["status", "--json", "--config", str(config)]) == 0
    assert json.loads(capsys.readouterr().out) == STATUS


async def test_an_agent_that_hangs_is_not_healthy(
    config: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("node_agent.health.ANSWER_TIMEOUT_S", 0.2)

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    server = await asyncio.start_unix_server(hang, config.parent / "agent.sock")
    assert await asyncio.to_thread(call, ["healthcheck", "--config", str(config)]) == 1
    assert "does not answer" in capsys.readouterr().err
    server.close()


def test_a_missing_node_key_is_a_matter_of_identity(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(["run", "--config", str(config)]) == IdentityError.exit_code
    assert "node.key" in capsys.readouterr().err


def test_a_chain_that_is_away_has_an_exit_code_of_its_own(
    config: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    save_key(config.parent / "node.key", new_key())
    (config.parent / "deployment.json").write_text(json.dumps(DEPLOYMENT))
    monkeypatch.setenv("SWARM_NODE_RPC_URL", "http://127.0.0.1:1")
    assert call(["run", "--config", str(config)]) == CHAIN_EXIT_CODE
    assert "127.0.0.1:1" in capsys.readouterr().err


def test_the_first_of_errors_that_come_together_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def fail() -> None:
        raise LeaseError("the lease is over", hint="renew it")

    async def work(*_: object, **__: object) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(fail())
            group.create_task(asyncio.sleep(60))

    monkeypatch.setattr("node_agent.enroll.enroll", work)
    assert call(["enroll"]) == LeaseError.exit_code
    assert capsys.readouterr().err == "error: the lease is over\nhint: renew it\n"


def test_a_bad_listen_address_is_a_configuration_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(["enroll", "--folder", str(tmp_path), "--listen", "7443"]) == 2
    assert "0.0.0.0:7443" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "forbidden"),
    [
        (["--help"], ("web3", "numpy", "torch", "aiohttp", "grpc", "pydantic_settings")),
        (["healthcheck"], ("web3", "numpy", "torch", "aiohttp", "grpc", "pydantic_settings")),
        (["validate"], ("web3", "torch", "tensorflow", "grpc")),
    ],
)
def test_commands_load_only_what_they_need(
    config: Path, arguments: list[str], forbidden: tuple[str, ...]
) -> None:
    """As code that runs the command and then looks at what was imported."""
    script = (
        "import sys, json; from node_agent.cli import call; call(sys.argv[1:]); "
        "print('modules', json.dumps(sorted(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        cwd=config.parent.parent,  # where there are no settings
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = json.loads(done.stdout.splitlines()[-1].removeprefix("modules "))
    assert "node_agent.cli" in loaded
    assert set(forbidden) & set(loaded) == set()


def test_sigterm_ends_the_work_cleanly_and_is_no_error() -> None:
    script = (
        "import asyncio, uvloop\n"
        "from node_agent.stop import until_told\n"
        "async def work():\n"
        "    try:\n"
        "        print('working', flush=True)\n"
        "        await asyncio.sleep(60)\n"
        "    finally:\n"
        "        print('cleaned up', flush=True)\n"
        "uvloop.run(until_told(work()))\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "working\n"
        process.send_signal(signal.SIGTERM)
        assert process.stdout.read() == "cleaned up\n"
        assert process.wait(10) == 0
