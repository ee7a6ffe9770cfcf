"""What is asked for: every page that people open, and the lists behind them, by role."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Role = Literal["admin", "owner", "operator"]
BASELINE = "/healthz"


@dataclass(frozen=True, slots=True)
class Page:
    """One URL, as somebody asks for it."""

    role: Role
    path: str
    asks_chain: bool = False
    """Whether it shows what the chain says at that moment, beside what the index knows."""
    most: int | None = None
    """No more requests than these: a document that is drawn up anew each time."""

    @property
    def is_api(self) -> bool:
        return self.path.startswith("/api/")


def pages(agreement: str, runs: list[str], drafts: list[str], organization: str) -> list[Page]:
    """All of them.

    Args:
        agreement: id of the large one.
        runs: ids; the first is the large one.
        drafts: ids.
        organization: the owner's.
    """
    run, of = runs[0], f"/agreements/{agreement}"
    both = f"run={run}&run={runs[1]}"
    told: list[tuple[Role, str]] = [
        ("admin", "/admin"),
        ("owner", "/earnings"),
        ("operator", "/my-nodes"),
        ("admin", "/runs"),
        ("owner", "/runs"),
        ("admin", f"/runs/{run}"),
        ("owner", f"/runs/{run}"),
        ("owner", f"/comparison?{both}"),
        ("admin", "/agreements"),
        ("admin", of),
        ("owner", f"{of}/nodes"),
        ("owner", f"{of}/history"),
        ("owner", f"{of}/runs/new"),
        ("admin", "/nodes"),
        ("admin", "/admissions"),
        ("owner", f"/drafts/{drafts[0]}"),
        ("owner", "/api/session"),
        ("admin", "/api/agreements"),
        ("admin", f"/api/agreements/{agreement}"),
        ("admin", f"/api/agreements/{agreement}/history"),
        ("admin", f"/api/agreements/{agreement}/amendments"),
        ("admin", "/api/drafts"),
        ("admin", f"/api/drafts/{drafts[0]}"),
        ("admin", "/api/admissions"),
        ("admin", "/api/enrollments"),
        ("admin", "/api/nodes"),
        ("admin", "/api/runs"),
        ("owner", "/api/runs"),
        ("owner", f"/api/runs/{run}"),
        ("owner", f"/api/runs/{run}/rounds"),
        ("owner", f"/api/runs/{run}/earnings"),
        ("owner", f"/api/runs/{run}/credits"),
        ("owner", f"/api/runs/{run}/usage"),
        ("owner", f"/api/runs/{run}/usage/1"),
        ("owner", f"/api/runs/comparison?{both}"),
        ("owner", "/api/announcements"),
        ("admin", "/api/ledger"),
        ("admin", f"/api/ledger?run={run}&after=1000"),
        ("admin", "/api/trail"),
        ("admin", "/api/leases"),
        ("admin", "/api/seats"),
    ]
    return [
        *(Page(role, path) for role, path in told),
        Page("owner", f"{of}/decisions", asks_chain=True),
        Page("owner", "/api/motions", asks_chain=True),
        Page("owner", f"/statements/{organization}?period=all", asks_chain=True, most=8),
        Page("owner", f"/api/statements/{organization}?period=all", asks_chain=True, most=8),
    ]
