"""What pages can do, the command line can: a table of both, and completion that works."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Final

from typer.testing import CliRunner

from marketplace.cli.main import app
from tests.marketplace.permissions import MATRIX
from tests.marketplace.test_cli import leaves_of

WEB = Path(__file__).parents[2] / "marketplace" / "web"

# The pages' forms, by their routes, and the command for the same.
FORMS: Final = {
    "POST /agreements/{agreement_id}/tokens": "node token",
    "POST /my-nodes/tokens": "node token",
    "POST /agreements/{agreement_id}/motions": "motion propose",
    "POST /agreements/{agreement_id}/amend": "agreement amend",
    "POST /motions/{motion_id}/post": "motion post",
    "POST /motions/{motion_id}/withdraw": "motion withdraw",
    "POST /drafts/new/{name}": "agreement draft",
    "POST /drafts/{draft_id}/edit": "draft propose",
    "POST /drafts/{draft_id}/comments": "draft comment",
    "POST /drafts/{draft_id}/invitations": "draft invite",
    "POST /drafts/{draft_id}/invitations/{invitation_id}/revoke": "draft revoke",
    "POST /drafts/{draft_id}/offer": "draft offer",
    "POST /drafts/{draft_id}/withdraw": "draft withdraw",
    "POST /join/{secret}": "draft join",
    "POST /admissions": "admission grant",
    "POST /admissions/{organization}/revoke": "admission revoke",
    "POST /enrollments/{enrollment_id}/reject": "node reject",
    "POST /sign-in": "sign-in",
}
# What a button does with the wallet in the browser.
BUTTONS: Final = {
    "sign-in": "sign-in",
    "sign-out": "sign-out",
    "join": "draft join",
    "sign": "agreement sign",
    "sign-amendment": "agreement sign-amendment",
    "vote": "motion sign",
    "move-wallet": "agreement move-wallet",
    "approve": "node approve",
    "claim": "rewards claim",
    "begin": "run create",
    "fund": "fund",
}
# One button for three things that a party does alone.
ACTS: Final = {"leave": "agreement leave", "veto": "agreement veto", "retire": "node retire"}
# What the API can change and pages leave to programs.
REQUESTS: Final = {
    "POST /api/session/challenge": "sign-in",
    "POST /api/session": "sign-in",
    "DELETE /api/session": "sign-out",
    "POST /api/tokens": "token new",
    "DELETE /api/tokens/{token_id}": "token revoke",
    "PUT /api/members/{wallet}": "org appoint",
    "DELETE /api/members/{wallet}": "org dismiss",
    "POST /api/agreements": "agreement draft",
    "POST /api/agreements/{agreement_id}/signatures": "agreement sign",
    "POST /api/agreements/{agreement_id}/activation": "agreement activate",
    "POST /api/amendments/{version_hash}/signatures": "agreement sign-amendment",
    "POST /api/drafts": "agreement draft",
    "POST /api/drafts/{draft_id}/versions": "draft propose",
    "POST /api/drafts/{draft_id}/comments": "draft comment",
    "POST /api/drafts/{draft_id}/invitations": "draft invite",
    "DELETE /api/drafts/{draft_id}/invitations/{invitation_id}": "draft revoke",
    "POST /api/drafts/{draft_id}/offer": "draft offer",
    "POST /api/drafts/{draft_id}/withdrawal": "draft withdraw",
    "POST /api/invitations/read": "draft join",
    "POST /api/invitations/accept": "draft join",
    "POST /api/motions": "motion propose",
    "POST /api/motions/{motion_id}/votes": "motion sign",
    "POST /api/motions/{motion_id}/posting": "motion post",
    "POST /api/motions/{motion_id}/withdrawal": "motion withdraw",
    "POST /api/acts/prepare": "agreement leave",
    "POST /api/acts": "agreement leave",
    "POST /api/admissions": "admission grant",
    "DELETE /api/admissions/{organization}": "admission revoke",
    "POST /api/enrollment-tokens": "node token",
    "POST /api/enrollments/{enrollment_id}/approval": "node approve",
    "POST /api/enrollments/{enrollment_id}/rejection": "node reject",
    "POST /api/leases": "lease export",
    "POST /api/leases/{lease_id}/end": "lease end",
    "PUT /api/seats": "lease seats",
    "POST /api/runs/prepare": "run create",
    "POST /api/runs": "run create",
    "PUT /api/runs/{run_id}/note": "run note",
    "POST /api/claims/prepare": "rewards claim",
    "POST /api/claims": "rewards claim",
    "POST /api/webhooks": "webhook add",
    "DELETE /api/webhooks/{webhook_id}": "webhook remove",
    "POST /api/webhooks/{webhook_id}/test": "webhook test",
}


def test_every_form_of_a_page_has_a_command() -> None:
    forms = {line for line in MATRIX if re.match("(?!GET)[A-Z]+ /(?!api/)", line)}
    assert forms == set(FORMS), "name the command for it in FORMS; if there is none, make one"


def test_every_button_that_asks_the_wallet_has_a_command() -> None:
    buttons = set()
    for name, opening in (("wallet", "const actions = {"), ("runs", "Object.assign(actions, {")):
        script = (WEB / "static" / f"{name}.js").read_text("utf-8")
        actions = script.partition(opening)[2].partition("\n}")[0]
        buttons |= set(re.findall(r'^  async "?([a-z-]+)"?\(', actions, re.MULTILINE))
    assert buttons | {"sign-out"} == set(BUTTONS) | {"act"}, "name the command for it in BUTTONS"
    templates = "".join(each.read_text("utf-8") for each in WEB.glob("templates/*.html"))
    acts = set(re.findall(r'do="act", kind="([a-z-]+)"', templates))
    assert acts == set(ACTS), "name the command for it in ACTS"


def test_everything_that_the_api_can_change_has_a_command() -> None:
    changes = {line for line in MATRIX if re.match("(?!GET)[A-Z]+ /api/", line)}
    assert changes == set(REQUESTS), "name the command for it in REQUESTS"


def test_the_commands_of_the_tables_exist() -> None:
    known = {" ".join(each) for each in leaves_of(app)}
    for table in (FORMS, BUTTONS, ACTS, REQUESTS):
        assert set(table.values()) <= known


def test_a_shell_completes_commands(tmp_path: Path) -> None:
    program = Path(sys.executable).parent / "swarm-market"
    script = tmp_path / "completion.bash"
    script.write_text(
        subprocess.run(
            [program],
            env=os.environ | {"_SWARM_MARKET_COMPLETE": "source_bash"},
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        ).stdout
    )
    asked = (
        f"source {script}; COMP_WORDS=(swarm-market draft re); COMP_CWORD=2; "
        f'_swarm_market_completion {program}; echo "${{COMPREPLY[*]}}"'
    )
    answer = subprocess.run(
        ["bash", "-c", asked], capture_output=True, text=True, check=True, timeout=60
    )
    assert answer.stdout.split() == ["revoke"]
    assert "--install-completion" in CliRunner().invoke(app, ["--help"]).output
