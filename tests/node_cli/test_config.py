"""Settings: the samples load, mistakes are named, and the environment wins."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

import node_agent
from node_agent.config import Settings, Source, load
from node_agent.errors import ConfigError
from node_agent.health import socket_path

SAMPLES = Path(node_agent.__file__).parent / "samples"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "agent.toml"
    path.write_text((SAMPLES / "minimal.toml").read_text())
    return path


def add(config: Path, text: str) -> None:
    config.write_text(config.read_text() + text)


@pytest.mark.parametrize("sample", ["minimal.toml", "full.toml"])
def test_the_samples_load(sample: str) -> None:
    assert load(SAMPLES / sample).run == "breast-cancer"


def test_the_full_sample_names_every_setting_with_its_default() -> None:
    text = (SAMPLES / "full.toml").read_text()
    defaults = load(SAMPLES / "minimal.toml")
    for name in Settings.model_fields:
        assert f"{name} = " in text or f"[{name}]" in text, name
        shown_as = [each for each in text.splitlines() if each.startswith(f"#{name} = ")]
        if shown_as and f"\n{name} = " not in text:
            line = shown_as[0]  # the table below has settings of the same name
            shown = line.split(" = ", 1)[1].split("  #")[0].split(" #")[0].strip().strip('"')
            actual = getattr(defaults, name)
            written = actual.name if isinstance(actual, Path) else str(actual)
            assert shown == (written.lower() if isinstance(actual, bool) else written), name


def test_paths_count_from_the_folder_and_the_folder_from_the_file(config: Path) -> None:
    add(config, 'folder = "state"\nvalidation = "v.npz"\nlease = "/etc/lease"\n')
    settings = load(config)
    assert settings.folder == config.parent / "state"
    assert settings.validation == config.parent / "state" / "v.npz"
    assert settings.socket == config.parent / "state" / "agent.sock"
    assert settings.lease == Path("/etc/lease")


def test_a_folder_stands_for_the_agent_toml_in_it(config: Path) -> None:
    assert load(config.parent) == load(config)


def test_the_environment_wins_over_the_file(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    add(config, "listen_port = 1\n[identity]\nsource = 'workload'\n")
    monkeypatch.setenv("SWARM_NODE_LISTEN_PORT", "2")
    monkeypatch.setenv("SWARM_NODE_IDENTITY__SOCKET", "spire.sock")
    settings = load(config)
    assert settings.listen_port == 2
    assert settings.identity.source is Source.WORKLOAD
    assert settings.identity.socket == config.parent / "spire.sock"


def test_the_health_check_finds_the_socket_that_the_settings_name(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert socket_path(config) == load(config).socket
    add(config, 'folder = "state"\nsocket = "s"\n')
    assert socket_path(config) == load(config).socket
    monkeypatch.setenv("SWARM_NODE_SOCKET", "t")
    monkeypatch.setenv("SWARM_NODE_FOLDER", "other")
    assert socket_path(config) == load(config).socket == config.parent / "other" / "t"
    monkeypatch.setenv("SWARM_NODE_CONFIG", str(config))
    assert socket_path(None) == load(None).socket


@pytest.mark.parametrize(
    ("line", "message", "hint"),
    [
        ("listen_prt = 1", "unknown setting listen_prt", "did you mean listen_port?"),
        ("[identity]\nchian = 'x'", "unknown setting identity.chian", "did you mean chain?"),
        ("zzz = 1", "unknown setting zzz", "known are agreement, archive_gb"),
        ("listen_port = 70000", "listen_port: Input should be less than", ""),
        ("url = 'http://x:1'", "url: must look like https://host:port", ""),
        ("url = 'https://x:1/path'", "url: must look like https://host:port", ""),
        ("agreement = '0x12'", "agreement: String should match", ""),
        ("spiffe_id = 'clinic'", "spiffe_id: String should match", ""),
        ("[identity]\nsource = 'files'", "needs identity.chain, identity.key, identity.bundle", ""),
        ("[identity]\nsource = 'workload'", "needs identity.socket", ""),
        ("production = true", "refuses the marketplace's built-in CA", ""),
        ("transfer_timeout_s = 0", "transfer_timeout_s", ""),
        ("log_level = 'loud'", "log_level", ""),
        ("not toml", "cannot read", ""),
    ],
)
def test_mistakes_are_named(config: Path, line: str, message: str, hint: str) -> None:
    name = line.split(" = ")[0]
    kept = [each for each in config.read_text().splitlines() if not each.startswith(f"{name} =")]
    config.write_text("\n".join([*kept, line]))
    with pytest.raises(ConfigError) as caught:
        load(config)
    assert message in str(caught.value)
    assert hint in caught.value.hint


def test_a_missing_setting_says_how_to_set_it(config: Path) -> None:
    kept = [each for each in config.read_text().splitlines() if not each.startswith("rpc_url")]
    config.write_text("\n".join(kept))
    with pytest.raises(ConfigError, match="rpc_url is missing") as caught:
        load(config)
    assert "$SWARM_NODE_RPC_URL" in caught.value.hint


def test_no_file_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no settings at") as caught:
        load(tmp_path)
    assert "swarm-node enroll" in caught.value.hint


def test_a_variable_that_means_nothing_is_pointed_out(
    config: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("SWARM_NODE_LISTENPORT", "2")
    with caplog.at_level(logging.WARNING):
        load(config)
    assert "SWARM_NODE_LISTENPORT is not a setting: did you mean SWARM_NODE_LISTEN_PORT?" in (
        caplog.text
    )
