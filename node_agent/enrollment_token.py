"""Enrollment tokens, as the marketplace issues them."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass

from node_agent.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Token:
    """What an enrollment token holds: where to go, whom to trust there, and the secret."""

    url: str
    authority: str  # SHA-256 of the CA certificate's DER, hex
    secret: str


def decode_token(encoded: str) -> Token:
    """Reads a token, base64url of `{"v": 1, "url", "ca", "secret"}`. Raises ConfigError."""
    hint = "copy it whole, as `swarm-market node token` or the enrollment page showed it"
    try:
        padded = encoded.strip() + "=" * (-len(encoded.strip()) % 4)
        value = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        version, token = value["v"], Token(value["url"], value["ca"], value["secret"])
    except (ValueError, TypeError, KeyError) as error:
        raise ConfigError("this is not an enrollment token", hint=hint) from error
    if version != 1:
        raise ConfigError(f"the token has version {version}", hint="update the agent")
    if not re.fullmatch("[0-9a-fA-F]{64}", str(token.authority)) or not str(token.url).startswith(
        "https://"
    ):
        raise ConfigError("this is not an enrollment token", hint=hint)
    return token
