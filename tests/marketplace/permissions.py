"""The table of who may do what, by route; `test_matrix` compares it with the applications."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

# v visitor, s somebody who signed in, o owner (a party's wallet), p his operator, u his auditor,
# g auditor of the marketplace, a admin.
ROLES: Final = "vsopuga"
EVERYBODY: Final = ROLES
SIGNED_IN: Final = "sopuga"
HEX: Final = "0x" + "ab" * 65


@dataclass(frozen=True)
class Row:
    """Which roles get through: to an object of the owner's, and to one of other organizations."""

    own: str
    foreign: str = ""
    body: Any = None
    query: str = ""


# {…} stand for the owner's or the others' ids; a body may use them, too.
MATRIX: Final[dict[str, Row]] = {
    # people and their programs
    "POST /api/session/challenge": Row(EVERYBODY, EVERYBODY, {"address": "0x" + "11" * 20}),
    "POST /api/session": Row("", "", {"message": "none of ours", "signature": HEX}),
    "GET /api/session": Row(SIGNED_IN, SIGNED_IN),
    "DELETE /api/session": Row(EVERYBODY, EVERYBODY),
    "POST /api/tokens": Row(SIGNED_IN, SIGNED_IN, {"name": "x", "scopes": ["read"]}),
    "GET /api/tokens": Row(SIGNED_IN, SIGNED_IN),
    "DELETE /api/tokens/{token_id}": Row("", ""),  # there is none: see test_programs
    "GET /api/members": Row(SIGNED_IN, SIGNED_IN),
    "PUT /api/members/{wallet}": Row(SIGNED_IN, SIGNED_IN, {"role": "auditor"}),
    "DELETE /api/members/{wallet}": Row(SIGNED_IN, SIGNED_IN),  # what was put in before
    "GET /api/trail": Row("ga", "ga"),
    "GET /api/deployment": Row(EVERYBODY, EVERYBODY),
    "GET /api/operations/{operation_id}": Row("opuga", "ga"),
    "GET /api/live": Row(SIGNED_IN, SIGNED_IN),
    "GET /healthz": Row(EVERYBODY, EVERYBODY),
    "GET /api/openapi.json": Row(EVERYBODY, EVERYBODY),
    # agreements
    "POST /api/agreements": Row("oa", "a", "{draft}"),
    "GET /api/agreements": Row(SIGNED_IN, SIGNED_IN),
    "GET /api/agreements/{agreement_id}": Row("opuga", "ga"),
    "POST /api/agreements/{agreement_id}/signatures": Row(
        "", "", {"organization": "{organization}", "signature": HEX}
    ),
    "POST /api/agreements/{agreement_id}/activation": Row("opa", "a"),
    "GET /api/agreements/{agreement_id}/history": Row("opuga", "ga"),
    "GET /api/agreements/{agreement_id}/amendments": Row("opuga", "ga"),
    "GET /api/amendments/{version_hash}": Row("opuga", "ga"),
    "POST /api/amendments/{version_hash}/signatures": Row(
        "", "", {"organization": "{organization}", "signature": HEX}
    ),
    # drafts: seen as agreements are, changed by their parties; a link is its holder's
    "GET /api/templates": Row(EVERYBODY, EVERYBODY),
    "GET /api/templates/{name}": Row(EVERYBODY, EVERYBODY),
    "POST /api/drafts": Row("oa", "a", {"proposal": "{proposal}"}),
    "GET /api/drafts": Row(SIGNED_IN, SIGNED_IN),
    "GET /api/drafts/{draft_id}": Row("opuga", "ga"),
    "POST /api/drafts/{draft_id}/versions": Row(
        "oa", "a", {"based_on": 1, "proposal": "{proposal}"}
    ),
    "GET /api/drafts/{draft_id}/versions/{version}": Row("opuga", "ga"),
    "GET /api/drafts/{draft_id}/changes": Row("opuga", "ga"),
    "POST /api/drafts/{draft_id}/comments": Row("oa", "a", {"text": "Why?"}),
    "POST /api/drafts/{draft_id}/invitations": Row("oa", "a", {"organization": "{guest}"}),
    "DELETE /api/drafts/{draft_id}/invitations/{invitation_id}": Row("oa", "a"),
    "POST /api/drafts/{draft_id}/offer": Row("oa", "a", {"version": 1}),
    "POST /api/drafts/{draft_id}/withdrawal": Row("oa", "a"),
    "POST /api/invitations/read": Row(EVERYBODY, EVERYBODY, {"secret": "{secret}"}),
    "POST /api/invitations/accept": Row(SIGNED_IN, SIGNED_IN, {"secret": "{secret}"}),
    # what parties decide
    "POST /api/motions": Row("o", "", {"agreement": "{agreement_id}", "action": "suspend"}),
    "GET /api/motions": Row(SIGNED_IN, SIGNED_IN),
    "GET /api/motions/{motion_id}": Row("opuga", "ga"),
    "POST /api/motions/{motion_id}/votes": Row(
        "", "", {"organization": "{organization}", "signature": HEX}
    ),
    "POST /api/motions/{motion_id}/posting": Row("opa", "a"),
    "POST /api/motions/{motion_id}/withdrawal": Row("oa", "a"),
    "POST /api/acts/prepare": Row(
        "oa",
        "a",
        {"kind": "leave", "agreement": "{agreement_id}", "organization": "{organization}"},
    ),
    "POST /api/acts": Row("", "", {"kind": "leave", "message": "{leaving}", "signature": HEX}),
    "GET /api/admissions": Row(SIGNED_IN, SIGNED_IN),
    "POST /api/admissions": Row("a", "a", {"organization": "{organization}", "wallet": "{owner}"}),
    "DELETE /api/admissions/{organization}": Row("a", "a"),  # what was put in before
    # nodes
    "POST /api/enrollment-tokens": Row(
        "opa",
        "a",
        {"agreement": "{agreement_id}", "organization": "{organization}", "node": "site-9"},
    ),
    "GET /api/enrollments": Row(SIGNED_IN, SIGNED_IN),
    "POST /api/enrollments/{enrollment_id}/approval": Row("", "", {"signature": HEX}),
    "POST /api/enrollments/{enrollment_id}/rejection": Row("oa", "a", {"reason": "whose is it?"}),
    "GET /api/nodes": Row(SIGNED_IN, SIGNED_IN),
    "GET /api/leases": Row(SIGNED_IN, SIGNED_IN),
    "POST /api/leases": Row("opa", "a", {"spiffe_id": "{spiffe_id}"}),
    "POST /api/leases/{lease_id}/end": Row("opa", "a"),
    "GET /api/seats": Row(SIGNED_IN, SIGNED_IN),
    "PUT /api/seats": Row("a", "a", {"organization": "{organization}", "seats": 64}),
    # runs and money
    "POST /api/runs/prepare": Row(
        "oa",
        "a",
        {"agreement": "{agreement_id}", "organization": "{organization}", "name": "fourth"},
    ),
    "POST /api/runs": Row("", "", "{new_run}"),
    "GET /api/runs": Row(SIGNED_IN, SIGNED_IN),
    "GET /api/runs/comparison": Row("opuga", "ga", query="?run={run_id}&run={second_run_id}"),
    "PUT /api/runs/{run_id}/note": Row("opa", "a", {"project": "tumors"}),
    "GET /api/runs/{run_id}": Row("opuga", "ga"),
    "GET /api/runs/{run_id}/rounds": Row("opuga", "ga"),
    # Who has the tokens may pay; here nobody has.
    "GET /api/runs/{run_id}/funding": Row(
        "opuga", "ga", query="?tokens=1&payer=0x1111111111111111111111111111111111111111"
    ),
    "GET /api/runs/{run_id}/earnings": Row("opuga", "ga"),
    "GET /api/runs/{run_id}/credits": Row("opuga", "ga"),
    "GET /api/runs/{run_id}/usage": Row("opuga", "ga"),
    "GET /api/runs/{run_id}/usage/{round_number}": Row("opuga", "ga"),
    "POST /api/claims/prepare": Row(
        "oa", "a", {"run": "{run_id}", "organization": "{organization}"}
    ),
    "POST /api/claims": Row("", "", "{new_claim}"),
    "GET /api/statements/{organization}": Row("ouga", "ga"),
    "GET /api/statement-key": Row(EVERYBODY, EVERYBODY),
    "GET /api/reconciliation": Row("ga", "ga"),
    "GET /api/ledger": Row(SIGNED_IN, SIGNED_IN),
    "GET /api/announcements": Row(SIGNED_IN, SIGNED_IN),
    "POST /api/webhooks": Row(SIGNED_IN, SIGNED_IN, {"url": "https://1.1.1.1/hook"}),
    "GET /api/webhooks": Row(SIGNED_IN, SIGNED_IN),
    "DELETE /api/webhooks/{webhook_id}": Row("", ""),  # there is none
    "POST /api/webhooks/{webhook_id}/test": Row("", ""),
    # pages
    "GET /": Row(SIGNED_IN, SIGNED_IN),
    "GET /runs": Row(SIGNED_IN, SIGNED_IN),
    "GET /admin": Row(SIGNED_IN, SIGNED_IN),
    "GET /earnings": Row(SIGNED_IN, SIGNED_IN),
    "GET /my-nodes": Row(SIGNED_IN, SIGNED_IN),
    "POST /my-nodes/tokens": Row(
        "opa",
        "a",
        {"seat": "{agreement_id} {organization}", "node": "site-7"},
    ),
    "GET /statements/{organization}": Row("ouga", "ga"),
    "GET /runs/{run_id}": Row("opuga", "ga"),
    "GET /comparison": Row("opuga", "ga", query="?run={run_id}&run={second_run_id}"),
    "GET /agreements": Row(SIGNED_IN, SIGNED_IN),
    "GET /agreements/{agreement_id}": Row("opuga", "ga"),
    "GET /agreements/{agreement_id}/nodes": Row("opuga", "ga"),
    "GET /agreements/{agreement_id}/decisions": Row("opuga", "ga"),
    "GET /agreements/{agreement_id}/runs/new": Row("opuga", "ga"),
    "GET /agreements/{agreement_id}/history": Row("opuga", "ga"),
    "POST /agreements/{agreement_id}/tokens": Row(
        "opa", "a", {"organization": "{organization}", "node": "site-8"}
    ),
    "POST /agreements/{agreement_id}/motions": Row("o", "", {"action": "suspend"}),
    "POST /agreements/{agreement_id}/amend": Row("oa", "a"),
    "GET /amendments/{version_hash}": Row("opuga", "ga"),
    "POST /motions/{motion_id}/post": Row("opa", "a"),
    "POST /motions/{motion_id}/withdraw": Row("oa", "a"),
    "GET /drafts/new": Row(SIGNED_IN, SIGNED_IN),
    "GET /drafts/new/{name}": Row(SIGNED_IN, SIGNED_IN),
    "POST /drafts/new/{name}": Row("oa", "a", "{form}"),
    "GET /drafts/{draft_id}": Row("opuga", "ga"),
    "GET /drafts/{draft_id}/edit": Row("oa", "a"),
    "POST /drafts/{draft_id}/edit": Row("oa", "a", "{form}"),
    "GET /drafts/{draft_id}/changes": Row("opuga", "ga"),
    "POST /drafts/{draft_id}/comments": Row("oa", "a", {"text": "Why?"}),
    "POST /drafts/{draft_id}/invitations": Row("oa", "a", {"organization": "{guest}"}),
    "POST /drafts/{draft_id}/invitations/{invitation_id}/revoke": Row("oa", "a"),
    "POST /drafts/{draft_id}/offer": Row("oa", "a", {"version": "1"}),
    "POST /drafts/{draft_id}/withdraw": Row("oa", "a"),
    "GET /join/{secret}": Row(EVERYBODY, EVERYBODY),
    "POST /join/{secret}": Row(SIGNED_IN, SIGNED_IN),
    "GET /admissions": Row(SIGNED_IN, SIGNED_IN),
    "POST /admissions": Row("a", "a", {"organization": "{organization}", "wallet": "{owner}"}),
    "POST /admissions/{organization}/revoke": Row("a", "a"),  # what was put in before
    "POST /enrollments/{enrollment_id}/reject": Row("oa", "a", {"reason": "whose is it?"}),
    "GET /nodes": Row(SIGNED_IN, SIGNED_IN),
    "GET /sign-in": Row(EVERYBODY, EVERYBODY),
    "POST /sign-in": Row("", "", ""),  # takes a session's token
}
# Of the listener for nodes: what needs a certificate, and what is checked by a secret or a
# signature instead.
AGENTS: Final = {
    "GET /agents/v1/ca": "open",
    "POST /agents/v1/enroll": "secret",
    "POST /agents/v1/enrollments/{enrollment_id}/key-signature": "secret",
    "POST /agents/v1/renew": "certificate",
    "POST /agents/v1/lease": "certificate",
    "POST /agents/v1/lease/return": "certificate",
    "POST /agents/v1/status": "certificate",
    "POST /agents/v1/usage": "certificate",
}
# A signature that is no one's is refused whoever hands it in; so these say nothing about roles
# unless 403 (wrong signature) and 404 (not your business) are told apart.
SIGNED: Final = {
    "POST /api/agreements/{agreement_id}/signatures": ("opa", "a"),
    "POST /api/enrollments/{enrollment_id}/approval": ("opa", "a"),
    "POST /api/runs": ("opa", "a"),
    "POST /api/claims": ("opa", "a"),
    "POST /api/amendments/{version_hash}/signatures": ("opa", "a"),
    "POST /api/motions/{motion_id}/votes": ("opa", "a"),
    "POST /api/acts": ("opa", "a"),
}
# Taking away needs something that is there: asked for before, by the same role.
BEFORE: Final = {
    "DELETE /api/members/{wallet}": "PUT /api/members/{wallet}",
    "DELETE /api/admissions/{organization}": "POST /api/admissions",
    "POST /admissions/{organization}/revoke": "POST /api/admissions",
}
