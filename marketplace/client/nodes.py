"""Nodes: invited, approved or turned away, listed."""

from __future__ import annotations

from contracts.messages import Enrollment, from_json, sign
from marketplace.client.connection import Connection, Fields, from_hex, to_hex, within
from marketplace.errors import WrongSignature


class NodeCalls(Connection):
    """The part of the client that is about nodes."""

    def enrollment_token(self, agreement_id: str, organization: str, node: str) -> Fields:
        body = {"agreement": agreement_id, "organization": organization, "node": node}
        return self.one("POST", "/api/enrollment-tokens", body)

    def enrollments(self, agreement_id: str | None = None) -> list[Fields]:
        return self.many("/api/enrollments" + within(agreement_id))

    def approve(self, enrollment: Fields) -> Fields:
        """Signs an enrollment, as `enrollments` lists it, with the owner's wallet.

        Raises:
            WrongSignature: the message is not about what the listing shows.
        """
        message = from_json(Enrollment, enrollment["message"])
        shown = (
            from_hex(enrollment["agreement"]),
            enrollment["node"],
            enrollment["key"],
            enrollment["url"],
        )
        if (message.agreement, message.node, message.key, message.url) != shown:
            raise WrongSignature("the enrollment is not what it is shown as", hint="do not sign")
        signature = sign(self.domain("consortium"), message, self.wallet)
        path = f"/api/enrollments/{enrollment['id']}/approval"
        return self.one("POST", path, {"signature": to_hex(signature)})

    def reject(self, enrollment_id: str, reason: str = "") -> Fields:
        return self.one("POST", f"/api/enrollments/{enrollment_id}/rejection", {"reason": reason})

    def nodes(self, agreement_id: str | None = None) -> list[Fields]:
        return self.many("/api/nodes" + within(agreement_id))
