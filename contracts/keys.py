"""Keys on disk and in memory: node keys as plain files for their owner only, wallets encrypted."""

from __future__ import annotations

import json
import os
import secrets
import stat
import tempfile
from pathlib import Path
from typing import Final

import coincurve
from eth_hash.auto import keccak

from contracts.errors import KeyFileError
from contracts.kinds import checksum_address

_LARGEST_FILE: Final = 64 * 1024


def address_of(key: coincurve.PublicKey) -> str:
    """The Ethereum address of a public key, with EIP-55 capitals."""
    return checksum_address("0x" + keccak(key.format(compressed=False)[1:])[12:].hex())


class Signer:
    """A secp256k1 key that signs 32-byte digests.

    Attributes:
        address: of the key, with EIP-55 capitals.
    """

    __slots__ = ("_key", "address")

    def __init__(self, secret: bytes) -> None:
        try:
            if len(secret) != 32:  # shorter ones would be filled up with zeros
                raise ValueError(f"{len(secret)} bytes")
            self._key = coincurve.PrivateKey(secret)
        except ValueError as error:
            raise KeyFileError("the secret is not a secp256k1 key of 32 bytes") from error
        self.address = address_of(self._key.public_key)

    def sign(self, digest: bytes) -> bytes:
        """Returns r, s, v in 65 bytes, v being 27 or 28; deterministic (RFC 6979)."""
        signature = self._key.sign_recoverable(digest, hasher=None)
        return signature[:64] + bytes([27 + signature[64]])

    @property
    def secret(self) -> bytes:
        """The 32 bytes that must not leave the machine."""
        return self._key.secret

    def __repr__(self) -> str:
        return f"Signer({self.address})"


def new_key() -> Signer:
    """Returns a key from the system's random source."""
    while True:
        try:
            return Signer(secrets.token_bytes(32))
        except KeyFileError:  # zero or beyond the curve's order: one in 2^127
            continue


def save_key(path: Path, signer: Signer) -> None:
    """Writes a node key: 64 hexadecimal digits and a line feed, readable by the owner only.

    Raises:
        KeyFileError: the file exists already (a key is never overwritten), or cannot be written.
    """
    write_private(path, signer.secret.hex() + "\n")


def load_key(path: Path) -> Signer:
    """Reads what `save_key` wrote.

    Raises:
        KeyFileError: no such file, not a key, or others than the owner may read it.
    """
    text = read_private(path).strip()
    try:
        return Signer(bytes.fromhex(text.removeprefix("0x")))
    except (ValueError, KeyFileError) as error:
        raise KeyFileError(
            f"{path} is not a key file", hint="it should hold 64 hexadecimal digits and no more"
        ) from error


def save_wallet(path: Path, signer: Signer, password: str) -> None:
    """Writes a wallet as an encrypted keystore (Web3 Secret Storage version 3, scrypt).

    Raises:
        KeyFileError: an empty password, the file exists already, or cannot be written.
    """
    if not password:
        raise KeyFileError("a wallet needs a password", hint="choose one that is hard to guess")
    # Costs half a second, and only those who open wallets need it.
    from eth_account import Account

    write_private(path, json.dumps(Account.encrypt(signer.secret, password)) + "\n")


def load_wallet(path: Path, password: str) -> Signer:
    """Opens an encrypted keystore, also one made by other Ethereum programs.

    Raises:
        KeyFileError: no such file, not a keystore, or a wrong password.
    """
    from eth_account import Account

    text = read_private(path)
    try:
        return Signer(bytes(Account.decrypt(json.loads(text), password)))
    except (ValueError, TypeError, KeyError, NotImplementedError) as error:
        if "MAC" in str(error):
            raise KeyFileError(f"wrong password for {path}") from error
        raise KeyFileError(
            f"{path} is not an encrypted keystore", hint="expected Web3 Secret Storage version 3"
        ) from error


def write_private(path: Path, text: str) -> None:
    """Writes a new file that only its owner may read: whole or not at all, never over another.

    Raises:
        KeyFileError: the file exists, or the folder cannot be written.
    """
    try:
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        raise KeyFileError(f"cannot write {path}: {error.strerror}") from error
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        # Unlike a rename, a link fails when the name is taken.
        os.link(temporary, path)
    except FileExistsError as error:
        raise KeyFileError(
            f"{path} exists already", hint="keys are never overwritten: move it away first"
        ) from error
    except OSError as error:
        raise KeyFileError(f"cannot write {path}: {error.strerror}") from error
    finally:
        os.unlink(temporary)


def read_private(path: Path) -> str:
    """Reads a file that belongs to this user and that nobody else may read.

    Raises:
        KeyFileError: missing, of another user, open to others, or not a text.
    """
    try:
        with open(path, "rb") as file:
            status = os.fstat(file.fileno())
            data = file.read(_LARGEST_FILE)
    except OSError as error:
        raise KeyFileError(f"cannot read {path}: {error.strerror}") from error
    if stat.S_IMODE(status.st_mode) & 0o077:
        raise KeyFileError(f"{path} can be read by other users", hint=f"chmod 600 {path}")
    if status.st_uid != os.geteuid():
        raise KeyFileError(
            f"{path} belongs to another user", hint=f"chown it to user {os.geteuid()}"
        )
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise KeyFileError(f"{path} is not a text file") from error
