"""Who may do what: seats and leases of the software, roles, tokens, the trail of what was done."""

from __future__ import annotations

import time
from typing import Final

from marketplace.client.connection import Connection, Fields

_DAY_S: Final = 86_400


class AccessCalls(Connection):
    """The part of the client that is about seats, roles and tokens."""

    def set_seats(self, organization: str, feature: str, count: int, days: int | None) -> Fields:
        until_s = None if days is None else int(time.time()) + days * _DAY_S
        body = {"organization": organization, "feature": feature, "seats": count}
        return self.one("PUT", "/api/seats", body | {"until_s": until_s})

    def export_lease(self, spiffe_id: str, features: list[str], days: int) -> Fields:
        body = {"spiffe_id": spiffe_id, "features": features, "days": days}
        return self.one("POST", "/api/leases", body)

    def end_lease(self, lease_id: str) -> Fields:
        return self.one("POST", f"/api/leases/{lease_id}/end")

    def appoint(self, wallet: str, role: str) -> Fields:
        return self.one("PUT", f"/api/members/{wallet}", {"role": role})

    def dismiss(self, wallet: str) -> None:
        self.request("DELETE", f"/api/members/{wallet}")

    def new_token(self, name: str, scopes: list[str], days: int) -> Fields:
        return self.one("POST", "/api/tokens", {"name": name, "scopes": scopes, "days": days})

    def revoke_token(self, token_id: str) -> Fields:
        return self.one("DELETE", f"/api/tokens/{token_id}")

    def trail(self, after: int = 0) -> list[Fields]:
        """The audit trail from after an entry on."""
        found: list[Fields] = []
        while piece := self.request("GET", f"/api/trail?limit=1000&after={after}"):
            found, after = found + piece, piece[-1]["number"]
        return found
