"""Money: earned, claimed, stated, announced."""

from __future__ import annotations

import httpx

from contracts.messages import Claim, from_json, sign
from marketplace.client.connection import Connection, Fields, from_hex, to_hex
from marketplace.errors import WrongSignature


class MoneyCalls(Connection):
    """The part of the client that is about money."""

    def earnings(self, run_id: str) -> Fields:
        return self.one("GET", f"/api/runs/{run_id}/earnings")

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
        if claim.run_ids != (from_hex(run_id),) or claim.recipient.lower() != expected.lower():
            raise WrongSignature("the claim is not the one that was asked for", hint="do not sign")
        signature = sign(self.domain("rewards"), claim, self.wallet)
        answer = self.request(
            "POST", "/api/claims", {"claim": prepared["claim"], "signature": to_hex(signature)}
        )
        operation: Fields = answer["operation"]
        return operation

    def statement(self, organization: str, period: str = "all", form: str = "json") -> bytes:
        """An organization's statement: signed JSON, CSV or PDF, as a file has it."""
        query = httpx.QueryParams({"period": period, "form": form})
        return self.file(f"/api/statements/{organization}?{query}")

    def ledger(self, run_id: str = "") -> list[Fields]:
        """The entries of the books that the caller may see, of one run or of all."""
        of_run = {"run": run_id} if run_id else {}
        found: list[Fields] = []
        after = 0
        while True:
            query = httpx.QueryParams({"after": str(after), "limit": "200"} | of_run)
            piece = self.one("GET", f"/api/ledger?{query}")
            if not piece["items"]:
                return found
            found, after = found + piece["items"], piece["next"]

    def announcements(self, after: int = 0, agreement: str = "") -> Fields:
        """What happened since: `items`, and `next` to go on from."""
        query = {"after": str(after)} | ({"agreement": agreement} if agreement else {})
        return self.one("GET", f"/api/announcements?{httpx.QueryParams(query)}")
