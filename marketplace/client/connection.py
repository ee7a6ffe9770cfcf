"""The connection to a marketplace: who asks, how it is asked again, and what comes back wrong."""

from __future__ import annotations

import secrets
import time
from types import TracebackType
from typing import Any, Final, Self

import httpx

from contracts.keys import Signer
from contracts.messages import Domain
from contracts.personal import personal_digest
from marketplace import errors
from marketplace.errors import MarketError, Unavailable, Waiting, WrongSignature

Fields = dict[str, Any]
_POLL_S: Final = 0.2
_TRIES: Final = 2
_ERRORS: Final[dict[str, type[MarketError]]] = {
    kind.code: kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, MarketError)
}


class Connection:
    """A caller of one marketplace, with or without a wallet. Use it as a context manager.

    Args:
        url: of the listener for people.
        signer: the wallet to sign in and to sign with.
        verify: certificates to trust, as httpx takes it.
        timeout_s: for each request.
        token: of a program, instead of a wallet.
    """

    def __init__(
        self,
        url: str,
        signer: Signer | None = None,
        *,
        verify: bool | str = True,
        timeout_s: float = 30.0,
        token: str | None = None,
    ) -> None:
        self._http = httpx.Client(base_url=url, verify=verify, timeout=timeout_s, trust_env=False)
        self._signer = signer
        self._next = ""
        self._token = token

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._http.close()

    @property
    def wallet(self) -> Signer:
        """The wallet. Raises SignInRequired if the client has none."""
        if self._signer is None:
            raise errors.SignInRequired("this needs a wallet", hint="name one with --wallet")
        return self._signer

    def request(self, method: str, path: str, body: Fields | None = None, *, key: str = "") -> Any:
        """One request; signs in first if there is a wallet.

        Args:
            method: GET, POST, …
            path: below the marketplace's URL.
            body: what goes as JSON.
            key: by which a repeated request is known for the same (Idempotency-Key). A change has
                one of its own anyway, by which it is repeated when the connection breaks.

        Raises:
            MarketError: the problem that the marketplace reported, as the kind that it is.
            Unavailable: no marketplace answers.
        """
        self._introduce_itself()
        return self._send(method, path, body, key)

    def many(self, path: str) -> list[Fields]:
        """A whole list, piece by piece: each names the next one."""
        found: list[Fields] = self.request("GET", path)
        while following := self._next:
            found += self._send("GET", following, None)
        return found

    def one(self, method: str, path: str, body: Fields | None = None) -> Fields:
        """One request whose answer is an object."""
        found: Fields = self.request(method, path, body)
        return found

    def file(self, path: str) -> bytes:
        """What is there, as a file has it."""
        self._introduce_itself()
        return self._ask("GET", path, None).content

    def domain(self, contract: str) -> Domain:
        """What a signature for one of the contracts is bound to."""
        deployment = self.deployment()
        return Domain(deployment["chain_id"], deployment[contract])

    def sign_in(self) -> Fields:
        """Opens a session: `token`, `expires`.

        Raises:
            WrongSignature: the message to be signed is for another wallet or another place.
        """
        address = self.wallet.address
        message = self._send("POST", "/api/session/challenge", {"address": address})["message"]
        here = self._http.base_url.netloc.decode("ascii")
        opening = f"{here} wants you to sign in with your Ethereum account:\n{address}\n"
        if not message.startswith(opening):
            asked = " ".join(message.split("\n")[:2])
            raise WrongSignature(
                f"{here} asks for a signature that is not for {here} and this wallet: {asked!r}",
                hint="give --market the address that the marketplace has as its web_url",
            )
        signature = self.wallet.sign(personal_digest(message))
        answer = {"message": message, "signature": to_hex(signature)}
        session: Fields = self._send("POST", "/api/session", answer)
        return session

    def sign_out(self) -> None:
        """Ends the session."""
        self.request("DELETE", "/api/session")

    def deployment(self) -> Fields:
        """Chain id, addresses of the contracts, and the endpoint that nodes are told."""
        found: Fields = self._send("GET", "/api/deployment", None)
        return found

    def operation(self, operation_id: str) -> Fields:
        return self.one("GET", f"/api/operations/{operation_id}")

    def wait(self, operation_id: str, timeout_s: float = 60.0) -> Fields:
        """Waits until an operation is confirmed.

        Raises:
            ChainRefusal: it failed; the message is the contracts' reason.
            Waiting: neither in time.
        """
        deadline = time.monotonic() + timeout_s
        while True:
            operation = self.operation(operation_id)
            if operation["state"] == "confirmed":
                return operation
            if operation["state"] == "failed":
                raise errors.ChainRefusal(operation["error"], hint=operation["hint"] or "")
            if time.monotonic() > deadline:
                raise Waiting(
                    f"operation {operation_id} is still {operation['state']}",
                    hint=f"it goes on by itself; look again: GET /api/operations/{operation_id}",
                )
            # The marketplace offers no stream of operations; a block takes about as long.
            time.sleep(_POLL_S)

    def _introduce_itself(self) -> None:
        if self._signer is not None and self._token is None:
            self._token = self.sign_in()["token"]

    def _send(self, method: str, path: str, body: Fields | None, key: str = "") -> Any:
        answer = self._ask(method, path, body, key)
        self._next = answer.links.get("next", {}).get("url", "")
        return answer.json() if answer.content else None

    def _ask(self, method: str, path: str, body: Fields | None, key: str = "") -> httpx.Response:
        headers = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        if method != "GET":
            headers["Idempotency-Key"] = key or secrets.token_hex(16)
        answer = self._exchange(method, path, body, headers)
        if not answer.is_success:
            raise _problem(answer)
        return answer

    def _exchange(
        self, method: str, path: str, body: Fields | None, headers: dict[str, str]
    ) -> httpx.Response:
        for attempt in range(_TRIES):
            try:
                return self._http.request(method, path, json=body, headers=headers)
            except httpx.ConnectError as error:
                raise Unavailable(
                    f"no marketplace answers at {self._http.base_url}: {error}",
                    hint="is `swarm-market serve` running, and the URL right?",
                ) from error
            except httpx.TransportError as error:
                # Whether it was done is not known; with the same key it is done once at most.
                if attempt == _TRIES - 1:
                    raise Unavailable(f"{self._http.base_url} broke off: {error}") from error
        raise AssertionError("unreachable")


def _problem(answer: httpx.Response) -> MarketError:
    try:
        problem = answer.json()
        code = str(problem.get("type", "")).rpartition(":")[2]
        message = str(problem.get("detail") or problem.get("title"))
    except (ValueError, AttributeError):
        return Unavailable(f"HTTP {answer.status_code} from {answer.url}")
    return _ERRORS.get(code, MarketError)(message, hint=str(problem.get("hint", "")))


def within(agreement_id: str | None) -> str:
    """The question for what belongs to one agreement; for all, none."""
    return f"?agreement={agreement_id}" if agreement_id else ""


def to_hex(data: bytes) -> str:
    """With 0x, as the API writes bytes."""
    return "0x" + data.hex()


def from_hex(text: str) -> bytes:
    """Of digits with or without 0x."""
    return bytes.fromhex(text.removeprefix("0x"))
