"""Agreements: drafted, read, signed."""

from __future__ import annotations

import hashlib

from contracts.messages import Agreement, from_json, sign, struct_hash
from marketplace.client.connection import Connection, Fields, from_hex, to_hex
from marketplace.errors import NotFound, WrongSignature


class AgreementCalls(Connection):
    """The part of the client that is about agreements."""

    def draft(self, draft: Fields) -> Fields:
        return self.one("POST", "/api/agreements", draft)

    def agreements(self) -> list[Fields]:
        return self.many("/api/agreements")

    def agreement(self, agreement_id: str) -> Fields:
        return self.one("GET", f"/api/agreements/{agreement_id}")

    def sign_agreement(self, agreement_id: str) -> Fields:
        """Signs as the party whose wallet this is, after checking that the text is what is signed.

        Raises:
            WrongSignature: id, message and text do not belong together.
            NotFound: this wallet is no party.
        """
        shown = self.agreement(agreement_id)
        message = from_json(Agreement, shown["agreement"])
        text_hash = hashlib.sha256(shown["document"].encode()).digest()
        if struct_hash(message) != from_hex(agreement_id) or message.document != text_hash:
            raise WrongSignature(
                "the text shown is not the text that would be signed",
                hint="do not sign; ask who runs this marketplace",
            )
        signature = sign(self.domain("consortium"), message, self.wallet)
        body = {"organization": self._party(shown)["organization"], "signature": to_hex(signature)}
        return self.one("POST", f"/api/agreements/{agreement_id}/signatures", body)

    def activate(self, agreement_id: str) -> Fields:
        """Has the marketplace try again to bring a signed agreement into force."""
        return self.one("POST", f"/api/agreements/{agreement_id}/activation")

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
