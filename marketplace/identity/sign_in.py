"""People sign in with their wallet: EIP-4361 messages, answered by EIP-191 signatures.

The server writes the message and remembers its hash; the answer must be that message to the byte.
So nothing of it has to be parsed, and one message opens one session.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from sqlalchemy import delete
from sqlalchemy.orm import Session

from contracts.errors import SignatureError
from contracts.messages import recover_digest
from contracts.personal import personal_digest
from marketplace.clock import iso
from marketplace.errors import SignInRequired, WrongSignature
from marketplace.identity.secrets import hash_secret, new_secret
from marketplace.storage.models import Challenge, SignIn

CHALLENGE_LIFETIME_S = 600
STATEMENT = "Sign in to the swarm learning marketplace. This moves no money and signs no agreement."
_RETRY = "sign in again: swarm-market sign-in, or the sign-in page"


def message(url: str, chain_id: int, address: str, nonce: str, now_s: int) -> str:
    """The text that the wallet signs, as EIP-4361 has it."""
    return (
        f"{urlsplit(url).netloc} wants you to sign in with your Ethereum account:\n"
        f"{address}\n\n{STATEMENT}\n\n"
        f"URI: {url}\n"
        "Version: 1\n"
        f"Chain ID: {chain_id}\n"
        f"Nonce: {nonce}\n"
        f"Issued At: {iso(now_s)}\n"
        f"Expiration Time: {iso(now_s + CHALLENGE_LIFETIME_S)}"
    )


def challenge(session: Session, text: str, address: str, now_s: int) -> None:
    """Remembers a message that was handed out; forgets those that are over."""
    session.execute(delete(Challenge).where(Challenge.expires_s <= now_s))
    session.execute(delete(SignIn).where(SignIn.expires_s <= now_s))
    session.add(
        Challenge(
            message_hash=hash_secret(text), address=address, expires_s=now_s + CHALLENGE_LIFETIME_S
        )
    )


def open_session(
    session: Session, text: str, signature: bytes, now_s: int, lifetime_s: int
) -> tuple[str, int]:
    """Exchanges a signed message for a bearer token.

    Returns:
        The token, and when it expires in unix seconds.

    Raises:
        SignInRequired: the message was not handed out here, was used before, or is over.
        WrongSignature: not signed by the address that it names.
    """
    waiting = session.get(Challenge, hash_secret(text))
    if waiting is None or waiting.expires_s <= now_s:
        raise SignInRequired(
            "this sign-in message was not handed out here, was used already, or is over",
            hint="ask for a new one: POST /api/session/challenge",
        )
    try:
        signer = recover_digest(personal_digest(text), signature)
    except SignatureError as error:
        raise WrongSignature(str(error)) from error
    if signer != waiting.address:
        raise WrongSignature(
            f"signed by {signer}, not by {waiting.address}", hint="choose the right wallet"
        )
    session.delete(waiting)
    token = new_secret()
    expires_s = now_s + lifetime_s
    session.add(
        SignIn(token_hash=hash_secret(token), address=signer, created_s=now_s, expires_s=expires_s)
    )
    return token, expires_s


def who(session: Session, token: str, now_s: int) -> str:
    """The wallet address behind a bearer token.

    Raises:
        SignInRequired: no such session, or it is over.
    """
    found = session.get(SignIn, hash_secret(token))
    if found is None or found.expires_s <= now_s:
        raise SignInRequired("the session is unknown or over", hint=_RETRY)
    return found.address


def close_session(session: Session, token: str) -> None:
    """Ends a session; one that does not exist is as good as ended."""
    session.execute(delete(SignIn).where(SignIn.token_hash == hash_secret(token)))
