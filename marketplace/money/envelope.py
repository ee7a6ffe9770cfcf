"""A statement as a file: what it says, who issued it, and the issuer's signature under both.

The signature tells who said it; whether it is true, the chain tells (`money.verification`). The key
is one of its own, `statement.key` in the marketplace's folder: no lease and no certificate is ever
signed with it.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from contracts.errors import KeyFileError
from contracts.keys import read_private, write_private
from marketplace.errors import InvalidInput
from metering import canonical
from metering.statement import Statement, parse

KEY_FILE: Final = "statement.key"
FORM: Final = "swarm-signed-statement-1"
_FIELDS: Final = {"format", "statement", "wallet", "royalties", "key", "signature"}
LARGEST_BYTES: Final = 64 * 2**20


@dataclass(frozen=True, slots=True)
class StatementSigner:
    """The key that says who issued a statement."""

    key: Ed25519PrivateKey

    @property
    def public_key(self) -> str:
        """32 bytes in hexadecimal digits."""
        return self.key.public_key().public_bytes_raw().hex()

    def sign(self, statement: Statement, wallet: str, royalties: str) -> Envelope:
        """A statement that bears the issuer's signature."""
        unsigned = Envelope(statement, wallet, royalties, self.public_key, "")
        return replace(unsigned, signature=self.key.sign(unsigned.signed()).hex())


@dataclass(frozen=True, slots=True)
class Envelope:
    """A signed statement.

    Attributes:
        statement: what it says.
        wallet: one of the organization's wallets: with the name, it says who that is.
        royalties: address of the contract that licenses are paid to.
        key: of the issuer, 32 bytes in hexadecimal digits.
        signature: Ed25519 over all of the others, in hexadecimal digits.
    """

    statement: Statement
    wallet: str
    royalties: str
    key: str
    signature: str

    def signed(self) -> bytes:
        """The bytes under the signature: canonical JSON of all else."""
        return canonical.combine(self._fields())

    def to_bytes(self) -> bytes:
        """The file."""
        return canonical.combine(self._fields() | {"signature": canonical.encode(self.signature)})

    def sha256(self) -> str:
        """Of the file, as `sha256sum` prints it."""
        return hashlib.sha256(self.to_bytes()).hexdigest()

    @property
    def is_signed(self) -> bool:
        """Whether the signature is that of the key."""
        try:
            public = Ed25519PublicKey.from_public_bytes(bytes.fromhex(self.key))
            public.verify(bytes.fromhex(self.signature), self.signed())
        except (ValueError, InvalidSignature):
            return False
        return True

    @classmethod
    def parse(cls, data: bytes) -> Envelope:
        """Reads a file, also one whose figures do not add up.

        Raises:
            InvalidInput: it is no statement, or not in the form in which it was issued.
        """
        try:
            fields = json.loads(data)
            if not isinstance(fields, dict) or fields.get("format") != FORM:
                raise InvalidInput(f"not a statement: its format is not {FORM}")
            if fields.keys() != _FIELDS or not isinstance(fields["statement"], dict):
                raise InvalidInput("not a statement: fields are missing, or too many")
            if not all(isinstance(fields[name], str) for name in _FIELDS - {"statement"}):
                raise InvalidInput("not a statement: a field is no text")
            statement = parse(canonical.encode(fields["statement"]), check_sums=False)
            found = cls(
                statement,
                *(str(fields[name]) for name in ("wallet", "royalties", "key", "signature")),
            )
        except (ValueError, RecursionError) as error:
            hint = getattr(error, "hint", "")
            raise InvalidInput(f"not a statement: {error}", hint=hint) from error
        if found.to_bytes() != data.rstrip(b"\n"):
            raise InvalidInput(
                "not a statement in the form in which it was issued",
                hint="keep the file as it was issued: no editor, no other line ends",
            )
        return found

    def _fields(self) -> dict[str, bytes]:
        texts = {"wallet": self.wallet, "royalties": self.royalties, "key": self.key}
        return {
            "format": canonical.encode(FORM),
            "statement": self.statement.to_bytes(),
            **{name: canonical.encode(text) for name, text in texts.items()},
        }


def load_or_create(folder: Path) -> StatementSigner:
    """Reads the statement key of a marketplace's folder; makes it where there is none.

    Raises:
        KeyFileError: readable by others, or not a key.
    """
    file = folder / KEY_FILE
    if not file.exists():
        try:
            write_private(file, Ed25519PrivateKey.generate().private_bytes_raw().hex() + "\n")
        except KeyFileError:
            if not file.exists():  # or else another process was faster
                raise
    try:
        secret = bytes.fromhex(read_private(file))
        return StatementSigner(Ed25519PrivateKey.from_private_bytes(secret))
    except ValueError as error:
        raise KeyFileError(f"{file} is not a statement key") from error
