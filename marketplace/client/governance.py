"""What is decided under an agreement: amendments, motions, acts of one party, admissions.

Nothing is signed unseen: what comes from the marketplace is rebuilt and compared with what was
asked for.
"""

from __future__ import annotations

import hashlib

from contracts.council import Action
from contracts.keys import Signer
from contracts.messages import (
    Agreement,
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
from marketplace.client.agreements import AgreementCalls
from marketplace.client.connection import Fields, to_hex, within
from marketplace.errors import NotFound, WrongSignature

Signable = Agreement | Leaving | Motion | Move | Pardon | Retirement | Veto


class Governance:
    """Amendments, motions, what a party does alone, admissions."""

    def __init__(self, caller: AgreementCalls) -> None:
        self._caller = caller

    def history(self, agreement_id: str) -> list[Fields]:
        return self._caller.many(f"/api/agreements/{agreement_id}/history")

    def amendments(self, agreement_id: str) -> list[Fields]:
        return self._caller.many(f"/api/agreements/{agreement_id}/amendments")

    def amendment(self, version_hash: str) -> Fields:
        return self._caller.one("GET", f"/api/amendments/{version_hash}")

    def sign_amendment(self, version_hash: str) -> Fields:
        """Signs an amendment, after checking that the text is what is signed.

        Raises:
            WrongSignature: hash, message and text do not belong together.
            NotFound: this wallet is no party of it.
        """
        shown = self.amendment(version_hash)
        message = from_json(Agreement, shown["agreement_message"])
        text_hash = hashlib.sha256(shown["document"].encode()).digest()
        ours = to_hex(struct_hash(message)) == version_hash
        if not ours or message.document != text_hash:
            raise WrongSignature(
                "the text shown is not the text that would be signed",
                hint="do not sign; ask who runs this marketplace",
            )
        body = {
            "organization": self._organization(shown["parties"]),
            "signature": self._sign("consortium", message),
        }
        return self._caller.one("POST", f"/api/amendments/{version_hash}/signatures", body)

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
        return self._caller.one("POST", "/api/motions", body)

    def motions(self, agreement_id: str | None = None) -> list[Fields]:
        return self._caller.many("/api/motions" + within(agreement_id))

    def motion(self, motion_id: str) -> Fields:
        return self._caller.one("GET", f"/api/motions/{motion_id}")

    def vote(self, motion_id: str) -> Fields:
        """Signs a motion in favor, after checking that its message is what it is shown as.

        Raises:
            WrongSignature: it is not.
            NotFound: this wallet has no vote on it.
        """
        shown = self.motion(motion_id)
        if shown["action"] == "pardon":
            pardon = from_json(Pardon, shown["message"])
            fits = to_hex(pardon.run_id) == shown["run"]
            party, contract = pardon.party, "training"
            message: Motion | Pardon = pardon
        else:
            motion = from_json(Motion, shown["message"])
            action = Action(motion.action).name.lower().replace("_", "-")
            wallet = shown["wallet"] or "0x" + "00" * 20
            fits = (action, to_hex(motion.agreement), motion.wallet) == (
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
        return self._caller.one("POST", f"/api/motions/{motion_id}/votes", body)

    def post_motion(self, motion_id: str) -> Fields:
        return self._caller.one("POST", f"/api/motions/{motion_id}/posting", {})

    def withdraw_motion(self, motion_id: str) -> Fields:
        return self._caller.one("POST", f"/api/motions/{motion_id}/withdrawal", {})

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
        return self._caller.one("POST", "/api/acts/prepare", body)

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
        if to_hex(message.agreement) != prepared["agreement"]:
            raise WrongSignature("the message is about another agreement", hint="do not sign")
        contract = "consortium" if kind in ("leave", "retire") else "council"
        body = {
            "kind": kind,
            "message": prepared["message"],
            "signature": self._sign(contract, message),
        }
        if new_wallet is not None:
            body["new_signature"] = to_hex(sign(self._caller.domain(contract), message, new_wallet))
        operation: Fields = self._caller.one("POST", "/api/acts", body)["operation"]
        return operation

    def admissions(self) -> list[Fields]:
        return self._caller.many("/api/admissions")

    def admit(self, organization: str, wallet: str) -> Fields:
        return self._caller.one(
            "POST", "/api/admissions", {"organization": organization, "wallet": wallet}
        )

    def dismiss(self, organization: str) -> None:
        self._caller.request("DELETE", f"/api/admissions/{organization}")

    def _sign(self, contract: str, message: Signable) -> str:
        return to_hex(sign(self._caller.domain(contract), message, self._caller.wallet))

    def _organization(self, parties: list[Fields]) -> str:
        address = self._caller.wallet.address
        for each in parties:
            if each["wallet"] == address:
                return str(each["organization"])
        raise NotFound(
            f"{address} is none of those who may sign this",
            hint="they are: " + ", ".join(each["organization"] for each in parties),
        )
