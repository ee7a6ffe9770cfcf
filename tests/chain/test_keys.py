"""Keys stay with their owner, and are never lost to a slip."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from contracts.errors import KeyFileError
from contracts.keys import Signer, load_key, load_wallet, new_key, save_key, save_wallet

PASSWORD = "correct horse battery staple"


def test_a_node_key_comes_back_from_its_file(tmp_path: Path) -> None:
    key, path = new_key(), tmp_path / "node.key"
    save_key(path, key)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load_key(path).address == key.address
    assert load_key(path).sign(b"\x07" * 32) == key.sign(b"\x07" * 32)
    assert os.listdir(tmp_path) == ["node.key"]


def test_a_key_is_never_overwritten(tmp_path: Path) -> None:
    first, path = new_key(), tmp_path / "node.key"
    save_key(path, first)
    with pytest.raises(KeyFileError, match="exists already"):
        save_key(path, new_key())
    assert load_key(path).address == first.address


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666])
def test_a_key_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "node.key"
    save_key(path, new_key())
    path.chmod(mode)
    with pytest.raises(KeyFileError, match="other users") as refused:
        load_key(path)
    assert refused.value.hint == f"chmod 600 {path}"


@pytest.mark.parametrize("text", ["", "hello", "00" * 32, "ff" * 32, "11" * 31, "11" * 33])
def test_what_is_no_key_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "node.key"
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(KeyFileError, match="not a key file"):
        load_key(path)


def test_a_missing_key_and_a_missing_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(KeyFileError, match=r"nowhere.key: No such file"):
        load_key(tmp_path / "nowhere.key")
    with pytest.raises(KeyFileError, match="cannot write"):
        save_key(tmp_path / "nowhere" / "node.key", new_key())


def test_a_wallet_opens_with_its_password_only(tmp_path: Path) -> None:
    wallet, path = new_key(), tmp_path / "wallet.json"
    save_wallet(path, wallet, PASSWORD)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert wallet.secret.hex() not in path.read_text()
    assert json.loads(path.read_text())["version"] == 3
    assert load_wallet(path, PASSWORD).address == wallet.address
    with pytest.raises(KeyFileError, match="wrong password"):
        load_wallet(path, PASSWORD + "!")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"version": 3}', '{"version": 1}', "11" * 32])
def test_what_is_no_keystore_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "wallet.json"
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(KeyFileError, match="not an encrypted keystore"):
        load_wallet(path, PASSWORD)


def test_a_wallet_needs_a_password(tmp_path: Path) -> None:
    with pytest.raises(KeyFileError, match="password"):
        save_wallet(tmp_path / "wallet.json", new_key(), "")


def test_a_secret_is_not_shown() -> None:
    signer = Signer(b"\x11" * 32)
    assert "11" * 8 not in repr(signer) + str(signer) + f"{signer}"
    assert signer.address in repr(signer)
