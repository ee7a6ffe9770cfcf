"""The part of the client that founds and governs consortia; see `client.MarketClient`.

As there, nothing is signed unseen: what comes from the marketplace is rebuilt and compared with
what was asked for.
"""

from __future__ import annotations

import hashlib
from typing import Any, Protocol

from contracts.council import Action
from contracts.keys import Signer
from contracts.messages import (
    Agreement,
    Domain,
    Leaving,
    Motion,
    Move,
    Pardon,
    Retirement,
    Veto,
    checksum_address,
    from_json,
    sign,
    struct_hash,
)
from marketplace.errors import NotFound, WrongSignature

Fields = dict[str, Any]


class Caller(Protocol):
    """What is needed of a client."""

    @property
    def wallet(self) -> Signer: ...

    def request(self, method: str, path: str, body: Fields | None = None) -> Any: ...

    def many(self, path: str) -> list[Fields]: ...

    def agreement(self, agreement_id: str) -> Fields: ...

    def deployment(self) -> Fields: ...


class Drafts:
    """Templates, drafts, invitations."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def templates(self) -> list[Fields]:
        return list(self._caller.request("GET", "/api/templates"))

    def template(self, name: str) -> Fields:
        return self._get(f"/api/templates/{name}")

    def start(
        self, proposal: Fields | None = None, *, amends: str | None = None, note: str = ""
    ) -> Fields:
        return self._post("/api/drafts", {"proposal": proposal, "amends": amends, "note": note})

    def list(self, agreement_id: str | None = None) -> list[Fields]:
        question = f"?agreement={agreement_id}" if agreement_id else ""
        return self._caller.many("/api/drafts" + question)

    def show(self, draft: str) -> Fields:
        return self._get(f"/api/drafts/{draft}")

    def propose(self, draft: str, based_on: int, proposal: Fields, note: str = "") -> Fields:
        body = {"based_on": based_on, "proposal": proposal, "note": note}
        return self._post(f"/api/drafts/{draft}/versions", body)

    def changes(self, draft: str, before: int | None = None, after: int | None = None) -> Fields:
        asked = [f"{name}={n}" for name, n in (("from", before), ("to", after)) if n is not None]
        return self._get(f"/api/drafts/{draft}/changes" + ("?" + "&".join(asked) if asked else ""))

    def comment(self, draft: str, text: str) -> Fields:
        return self._post(f"/api/drafts/{draft}/comments", {"text": text})

    def invite(self, draft: str, organization: str) -> Fields:
        return self._post(f"/api/drafts/{draft}/invitations", {"organization": organization})

    def revoke(self, draft: str, invitation: str) -> Fields:
        found: Fields = self._caller.request(
            "DELETE", f"/api/drafts/{draft}/invitations/{invitation}"
        )
        return found

    def read_invitation(self, link: str) -> Fields:
        return self._post("/api/invitations/read", {"secret": _secret(link)})

    def join(self, link: str) -> Fields:
        """Takes the seat that the link is for, with this wallet."""
        return self._post("/api/invitations/accept", {"secret": _secret(link)})

    def offer(self, draft: str, version: int) -> Fields:
        return self._post(f"/api/drafts/{draft}/offer", {"version": version})

    def withdraw(self, draft: str) -> Fields:
        return self._post(f"/api/drafts/{draft}/withdrawal", {})

    def _get(self, path: str) -> Fields:
        found: Fields = self._caller.request("GET", path)
        return found

    def _post(self, path: str, body: Fields) -> Fields:
        found: Fields = self._caller.request("POST", path, body)
        return found


class Governance:
    """Amendments, motions, what a party does alone, admissions."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def history(self, agreement_id: str) -> list[Fields]:
        return self._caller.many(f"/api/agreements/{agreement_id}/history")

    def amendments(self, agreement_id: str) -> list[Fields]:
        return self._caller.many(f"/api/agreements/{agreement_id}/amendments")

    def amendment(self, version_hash: str) -> Fields:
        found: Fields = self._caller.request("GET", f"/api/amendments/{version_hash}")
        return found

    def sign_amendment(self, version_hash: str) -> Fields:
        """Signs an amendment, after checking that the text is what is signed.

        Raises:
            WrongSignature: hash, message and text do not belong together.
            NotFound: this wallet is no party of it.
        """
        shown = self.amendment(version_hash)
        message = from_json(Agreement, shown["agreement_message"])
        text_hash = hashlib.sha256(shown["document"].encode()).digest()
        ours = "0x" + struct_hash(message).hex() == version_hash
        if not ours or message.document != text_hash:
            raise WrongSignature(
                "the text shown is not the text that would be signed",
                hint="do not sign; ask who runs this marketplace",
            )
        body = {
            "organization": self._organization(shown["parties"]),
            "signature": self._sign("consortium", message),
        }
        return self._post(f"/api/amendments/{version_hash}/signatures", body)

    def propose(
        self,
        agreement_id: str,
        action: str,
        *,
        organization: str = "",
        wallet: str = "",
        run: str = "",
        reason: str = "",
    ) -> Fields:
        body = {
            "agreement": agreement_id,
            "action": action,
            "organization": organization or None,
            "wallet": wallet,
            "run": run or None,
            "reason": reason,
        }
        return self._post("/api/motions", body)

    def motions(self, agreement_id: str | None = None) -> list[Fields]:
        question = f"?agreement={agreement_id}" if agreement_id else ""
        return self._caller.many("/api/motions" + question)

    def motion(self, motion_id: str) -> Fields:
        found: Fields = self._caller.request("GET", f"/api/motions/{motion_id}")
        return found

    def vote(self, motion_id: str) -> Fields:
        """Signs a motion in favor, after checking that its message is what it is shown as.

        Raises:
            WrongSignature: it is not.
            NotFound: this wallet has no vote on it.
        """
        shown = self.motion(motion_id)
        if shown["action"] == "pardon":
            pardon = from_json(Pardon, shown["message"])
            fits = "0x" + pardon.run_id.hex() == shown["run"]
            party, contract = pardon.party, "training"
            message: Motion | Pardon = pardon
        else:
            motion = from_json(Motion, shown["message"])
            action = Action(motion.action).name.lower().replace("_", "-")
            wallet = shown["wallet"] or "0x" + "00" * 20
            fits = (action, "0x" + motion.agreement.hex(), motion.wallet) == (
                shown["action"],
                shown["agreement"],
                checksum_address(wallet),
            )
            party, contract, message = motion.party, "council", motion
        concerned = shown["organization"]
        if concerned is not None:
            parties = self._caller.agreement(shown["agreement"])["parties"]
            fits = fits and parties[party]["organization"] == concerned
        if not fits:
            raise WrongSignature("the motion is not what it is shown as", hint="do not sign")
        organization = self._organization(shown["voters"])
        signature = self._sign(contract, message)
        body = {"organization": organization, "signature": signature}
        return self._post(f"/api/motions/{motion_id}/votes", body)

    def post_motion(self, motion_id: str) -> Fields:
        return self._post(f"/api/motions/{motion_id}/posting", {})

    def withdraw_motion(self, motion_id: str) -> Fields:
        return self._post(f"/api/motions/{motion_id}/withdrawal", {})

    def prepare(
        self, kind: str, agreement_id: str, organization: str, node: str = "", wallet: str = ""
    ) -> Fields:
        """The message of an act, with what it will do."""
        body = {
            "kind": kind,
            "agreement": agreement_id,
            "organization": organization,
            "node": node,
            "wallet": wallet,
        }
        return self._post("/api/acts/prepare", body)

    def act(self, prepared: Fields, new_wallet: Signer | None = None) -> Fields:
        """Signs a prepared act and has it posted; gives the operation.

        Raises:
            WrongSignature: the message is not about the agreement that was asked for.
        """
        kind = prepared["kind"]
        structs: dict[str, type[Leaving | Retirement | Move | Veto]] = {
            "leave": Leaving,
            "retire": Retirement,
            "move-wallet": Move,
            "veto": Veto,
        }
        message: Leaving | Retirement | Move | Veto = from_json(structs[kind], prepared["message"])
        if "0x" + message.agreement.hex() != prepared["agreement"]:
            raise WrongSignature("the message is about another agreement", hint="do not sign")
        contract = "consortium" if kind in ("leave", "retire") else "council"
        body = {
            "kind": kind,
            "message": prepared["message"],
            "signature": self._sign(contract, message),
        }
        if new_wallet is not None:
            body["new_signature"] = "0x" + sign(self._domain(contract), message, new_wallet).hex()
        operation: Fields = self._post("/api/acts", body)["operation"]
        return operation

    def admissions(self) -> list[Fields]:
        return self._caller.many("/api/admissions")

    def admit(self, organization: str, wallet: str) -> Fields:
        return self._post("/api/admissions", {"organization": organization, "wallet": wallet})

    def dismiss(self, organization: str) -> None:
        self._caller.request("DELETE", f"/api/admissions/{organization}")

    def _sign(self, contract: str, message: Agreement | Motion | Pardon | Leaving | Any) -> str:
        return "0x" + sign(self._domain(contract), message, self._caller.wallet).hex()

    def _domain(self, contract: str) -> Domain:
        deployment = self._caller.deployment()
        return Domain(deployment["chain_id"], deployment[contract])

    def _organization(self, parties: list[Fields]) -> str:
        address = self._caller.wallet.address
        for each in parties:
            if each["wallet"] == address:
                return str(each["organization"])
        raise NotFound(
            f"{address} is none of those who may sign this",
            hint="they are: " + ", ".join(each["organization"] for each in parties),
        )

    def _post(self, path: str, body: Fields) -> Fields:
        found: Fields = self._caller.request("POST", path, body)
        return found


def _secret(link: str) -> str:
    return link.rstrip("/").rpartition("/")[2]
