"""Templates, drafts, invitations."""

from __future__ import annotations

from marketplace.client.connection import Connection, Fields, within


class Drafts:
    """Templates, drafts, invitations."""

    def __init__(self, caller: Connection) -> None:
        self._caller = caller

    def templates(self) -> list[Fields]:
        return self._caller.many("/api/templates")

    def template(self, name: str) -> Fields:
        return self._caller.one("GET", f"/api/templates/{name}")

    def start(
        self, proposal: Fields | None = None, *, amends: str | None = None, note: str = ""
    ) -> Fields:
        return self._caller.one(
            "POST", "/api/drafts", {"proposal": proposal, "amends": amends, "note": note}
        )

    def list(self, agreement_id: str | None = None) -> list[Fields]:
        return self._caller.many("/api/drafts" + within(agreement_id))

    def show(self, draft: str) -> Fields:
        return self._caller.one("GET", f"/api/drafts/{draft}")

    def propose(self, draft: str, based_on: int, proposal: Fields, note: str = "") -> Fields:
        body = {"based_on": based_on, "proposal": proposal, "note": note}
        return self._caller.one("POST", f"/api/drafts/{draft}/versions", body)

    def changes(self, draft: str, before: int | None = None, after: int | None = None) -> Fields:
        asked = [f"{name}={n}" for name, n in (("from", before), ("to", after)) if n is not None]
        return self._caller.one(
            "GET", f"/api/drafts/{draft}/changes" + ("?" + "&".join(asked) if asked else "")
        )

    def comment(self, draft: str, text: str) -> Fields:
        return self._caller.one("POST", f"/api/drafts/{draft}/comments", {"text": text})

    def invite(self, draft: str, organization: str) -> Fields:
        return self._caller.one(
            "POST", f"/api/drafts/{draft}/invitations", {"organization": organization}
        )

    def revoke(self, draft: str, invitation: str) -> Fields:
        return self._caller.one("DELETE", f"/api/drafts/{draft}/invitations/{invitation}")

    def read_invitation(self, link: str) -> Fields:
        return self._caller.one("POST", "/api/invitations/read", {"secret": _secret(link)})

    def join(self, link: str) -> Fields:
        """Takes the seat that the link is for, with this wallet."""
        return self._caller.one("POST", "/api/invitations/accept", {"secret": _secret(link)})

    def offer(self, draft: str, version: int) -> Fields:
        return self._caller.one("POST", f"/api/drafts/{draft}/offer", {"version": version})

    def withdraw(self, draft: str) -> Fields:
        return self._caller.one("POST", f"/api/drafts/{draft}/withdrawal", {})


def _secret(link: str) -> str:
    return link.rstrip("/").rpartition("/")[2]
