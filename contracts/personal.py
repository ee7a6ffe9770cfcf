"""Texts as wallets sign them (EIP-191)."""

from __future__ import annotations

from eth_hash.auto import keccak


def personal_digest(text: str) -> bytes:
    """EIP-191, version 0x45: the 32 bytes that a wallet signs when it is shown a text."""
    data = text.encode()
    return keccak(b"\x19Ethereum Signed Message:\n" + str(len(data)).encode() + data)
