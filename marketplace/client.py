"""The marketplace's public API from Python: what the command line, scripts and tests use.

Nothing is signed unseen: a message is rebuilt from what it says, checked against what was asked
for, and signed as this program reads it, not as the server would have it shown.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from types import TracebackType
from typing import Any, Self

import httpx

from contracts.keys import Signer
from contracts.messages import (
    Agreement,
    Claim,
    Domain,
    Enrollment,
    RunRequest,
    from_json,
    sign,
    struct_hash,
    to_json,
)
from contracts.personal import personal_digest
from marketplace import errors
from marketplace.client_consortia import Drafts, Governance
from marketplace.errors import MarketError, NotFound, Unavailable, Waiting, WrongSignature

Fields = dict[str, Any]
_REQUEST_LIFETIME_S = 3_600
_POLL_S = 0.2
_DAY_S = 86_400
_TRIES = 2
_ERRORS: dict[str, type[MarketError]] = {
    kind.code: kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, MarketError)
}


class MarketClient:
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
    def drafts(self) -> Drafts:
        """Templates, drafts, invitations."""
        return Drafts(self)

    @property
    def governance(self) -> Governance:
        """Amendments, motions, what a party does alone, admissions."""
        return Governance(self)

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
        if self._signer is not None and self._token is None:
            self._token = self.sign_in()["token"]
        return self._send(method, path, body, key)

    def many(self, path: str) -> list[Fields]:
        """A whole list, piece by piece."""
        return self._many(path)

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
        answer = {"message": message, "signature": _hex(signature)}
        session: Fields = self._send("POST", "/api/session", answer)
        return session

    def deployment(self) -> Fields:
        """Chain id, addresses of the contracts, and the endpoint that nodes are told."""
        found: Fields = self._send("GET", "/api/deployment", None)
        return found

    # Agreements

    def draft(self, draft: Fields) -> Fields:
        return self._one("POST", "/api/agreements", draft)

    def agreements(self) -> list[Fields]:
        return self._many("/api/agreements")

    def agreement(self, agreement_id: str) -> Fields:
        return self._one("GET", f"/api/agreements/{agreement_id}")

    def sign_agreement(self, agreement_id: str) -> Fields:
        """Signs as the party whose wallet this is, after checking that the text is what is signed.

        Raises:
            WrongSignature: id, message and text do not belong together.
            NotFound: this wallet is no party.
        """
        shown = self.agreement(agreement_id)
        message = from_json(Agreement, shown["agreement"])
        text_hash = hashlib.sha256(shown["document"].encode()).digest()
        if struct_hash(message) != _bytes(agreement_id) or message.document != text_hash:
            raise WrongSignature(
                "the text shown is not the text that would be signed",
                hint="do not sign; ask who runs this marketplace",
            )
        signature = sign(self._domain("consortium"), message, self.wallet)
        body = {"organization": self._party(shown)["organization"], "signature": _hex(signature)}
        return self._one("POST", f"/api/agreements/{agreement_id}/signatures", body)

    # Nodes

    def enrollment_token(self, agreement_id: str, organization: str, node: str) -> Fields:
        body = {"agreement": agreement_id, "organization": organization, "node": node}
        return self._one("POST", "/api/enrollment-tokens", body)

    def enrollments(self, agreement_id: str | None = None) -> list[Fields]:
        return self._many("/api/enrollments" + _query(agreement_id))

    def approve(self, enrollment: Fields) -> Fields:
        """Signs an enrollment, as `enrollments` lists it, with the owner's wallet.

        Raises:
            WrongSignature: the message is not about what the listing shows.
        """
        message = from_json(Enrollment, enrollment["message"])
        shown = (
            _bytes(enrollment["agreement"]),
            enrollment["node"],
            enrollment["key"],
            enrollment["url"],
        )
        if (message.agreement, message.node, message.key, message.url) != shown:
            raise WrongSignature("the enrollment is not what it is shown as", hint="do not sign")
        signature = sign(self._domain("consortium"), message, self.wallet)
        path = f"/api/enrollments/{enrollment['id']}/approval"
        return self._one("POST", path, {"signature": _hex(signature)})

    def reject(self, enrollment_id: str, reason: str = "") -> Fields:
        return self._one("POST", f"/api/enrollments/{enrollment_id}/rejection", {"reason": reason})

    def nodes(self, agreement_id: str | None = None) -> list[Fields]:
        return self._many("/api/nodes" + _query(agreement_id))

    # Runs and rewards

    def create_run(
        self, agreement_id: str, name: str, *, generation: int = 1, continues: str = ""
    ) -> Fields:
        """Asks for a run in the name of the party whose wallet this is; gives the operation.

        Args:
            agreement_id: under which.
            name: of the run.
            generation: 1, or one more than the finished run of this name that it resets.
            continues: id of a finished run, to start from its model; empty: from the terms'.
        """
        shown = self.agreement(agreement_id)
        request = RunRequest(
            agreement=_bytes(agreement_id),
            party=self._party(shown)["party"],
            name=name,
            salt=secrets.token_bytes(32),
            generation=generation,
            continues=_bytes(continues) if continues else bytes(32),
            deadline=int(time.time()) + _REQUEST_LIFETIME_S,
        )
        signature = sign(self._domain("training"), request, self.wallet)
        body = {
            "request": to_json(request),
            "terms": shown["agreement"]["terms"],
            "signature": _hex(signature),
        }
        operation: Fields = self.request("POST", "/api/runs", body)["operation"]
        return operation

    def runs(self) -> list[Fields]:
        return self._many("/api/runs")

    def run(self, run_id: str) -> Fields:
        return self._one("GET", f"/api/runs/{run_id}")

    def rounds(self, run_id: str) -> list[Fields]:
        return self._many(f"/api/runs/{run_id}/rounds?limit=100")

    def write_note(self, run_id: str, note: Fields) -> Fields:
        """Replaces what is written about a run; see `marketplace.runs.notes.Note`."""
        found: Fields = self.request("PUT", f"/api/runs/{run_id}/note", note)
        return found

    def compare(self, run_ids: list[str]) -> Fields:
        chosen = "&".join(f"run={each}" for each in run_ids)
        found: Fields = self.request("GET", f"/api/runs/comparison?{chosen}")
        return found

    def earnings(self, run_id: str) -> Fields:
        return self._one("GET", f"/api/runs/{run_id}/earnings")

    def usage(self, run_id: str) -> Fields:
        return self._one("GET", f"/api/runs/{run_id}/usage")

    def usage_reports(self, run_id: str, round_number: int) -> list[Fields]:
        return self._many(f"/api/runs/{run_id}/usage/{round_number}")

    def claim(self, run_id: str, organization: str, recipient: str = "") -> Fields:
        """Claims all that an organization accrued; gives the operation.

        Raises:
            ChainRefusal: there is nothing to claim.
            WrongSignature: the prepared claim is not the one asked for.
        """
        body = {"run": run_id, "organization": organization, "recipient": recipient}
        prepared = self.request("POST", "/api/claims/prepare", body)
        claim = from_json(Claim, prepared["claim"])
        expected = recipient or self.wallet.address
        if claim.run_ids != (_bytes(run_id),) or claim.recipient.lower() != expected.lower():
            raise WrongSignature("the claim is not the one that was asked for", hint="do not sign")
        signature = sign(self._domain("rewards"), claim, self.wallet)
        answer = self.request(
            "POST", "/api/claims", {"claim": prepared["claim"], "signature": _hex(signature)}
        )
        operation: Fields = answer["operation"]
        return operation

    def statement(self, organization: str, period: str = "all", form: str = "json") -> bytes:
        """An organization's statement: signed JSON, CSV or PDF, as a file has it."""
        if self._signer is not None and self._token is None:
            self._token = self.sign_in()["token"]
        query = httpx.QueryParams({"period": period, "form": form})
        return self._ask("GET", f"/api/statements/{organization}?{query}", None).content

    def announcements(self, after: int = 0, agreement: str = "") -> Fields:
        """What happened since: `items`, and `next` to go on from."""
        query = {"after": str(after)} | ({"agreement": agreement} if agreement else {})
        return self._one("GET", f"/api/announcements?{httpx.QueryParams(query)}")

    def operation(self, operation_id: str) -> Fields:
        return self._one("GET", f"/api/operations/{operation_id}")

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

    # Leases, roles, tokens

    def set_seats(self, organization: str, feature: str, count: int, days: int | None) -> Fields:
        until_s = None if days is None else int(time.time()) + days * _DAY_S
        body = {"organization": organization, "feature": feature, "seats": count}
        return self._one("PUT", "/api/seats", body | {"until_s": until_s})

    def export_lease(self, spiffe_id: str, features: list[str], days: int) -> Fields:
        body = {"spiffe_id": spiffe_id, "features": features, "days": days}
        return self._one("POST", "/api/leases", body)

    def end_lease(self, lease_id: str) -> Fields:
        return self._one("POST", f"/api/leases/{lease_id}/end")

    def appoint(self, wallet: str, role: str) -> Fields:
        return self._one("PUT", f"/api/members/{wallet}", {"role": role})

    def dismiss(self, wallet: str) -> None:
        self.request("DELETE", f"/api/members/{wallet}")

    def new_token(self, name: str, scopes: list[str], days: int) -> Fields:
        return self._one("POST", "/api/tokens", {"name": name, "scopes": scopes, "days": days})

    def revoke_token(self, token_id: str) -> Fields:
        return self._one("DELETE", f"/api/tokens/{token_id}")

    def trail(self, after: int = 0) -> list[Fields]:
        """The audit trail from after an entry on."""
        found: list[Fields] = []
        while piece := self.request("GET", f"/api/trail?limit=1000&after={after}"):
            found, after = found + piece, piece[-1]["number"]
        return found

    def _one(self, method: str, path: str, body: Fields | None = None) -> Fields:
        found: Fields = self.request(method, path, body)
        return found

    def _many(self, path: str) -> list[Fields]:
        found: list[Fields] = self.request("GET", path)
        # In pieces: each names the next one.
        while following := self._next:
            found += self._send("GET", following, None)
        return found

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

    def _domain(self, contract: str) -> Domain:
        deployment = self.deployment()
        return Domain(deployment["chain_id"], deployment[contract])

    def _party(self, agreement: Fields) -> Fields:
        address = self.wallet.address
        party: Fields | None = next(
            (each for each in agreement["parties"] if each["wallet"] == address), None
        )
        if party is None:
            raise NotFound(
                f"{address} is no party of this agreement",
                hint="parties: " + ", ".join(each["organization"] for each in agreement["parties"]),
            )
        return party


def _problem(answer: httpx.Response) -> MarketError:
    try:
        problem = answer.json()
        code = str(problem.get("type", "")).rpartition(":")[2]
        message = str(problem.get("detail") or problem.get("title"))
    except (ValueError, AttributeError):
        return Unavailable(f"HTTP {answer.status_code} from {answer.url}")
    return _ERRORS.get(code, MarketError)(message, hint=str(problem.get("hint", "")))


def _query(agreement_id: str | None) -> str:
    return f"?agreement={agreement_id}" if agreement_id else ""


def _hex(data: bytes) -> str:
    return "0x" + data.hex()


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))
