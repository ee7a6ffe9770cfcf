"""Runs: asked for, followed, compared."""

from __future__ import annotations

import secrets
import time
from typing import Final

from contracts.messages import RunRequest, sign, to_json
from marketplace.client.agreements import AgreementCalls
from marketplace.client.connection import Fields, from_hex, to_hex

_REQUEST_LIFETIME_S: Final = 3_600


class RunCalls(AgreementCalls):
    """The part of the client that is about runs."""

    def create_run(
        self, agreement_id: str, name: str, *, generation: int = 1, continues: str = ""
    ) -> Fields:
        """Asks for a run in the name of the party whose wallet this is; gives the operation.

        Args:
            agreement_id: under which.
            name: of the run.
            generation: 1, or one more than the finished run of this name that it resets.
            continues: id of a finished run, to start from its model; empty: from the terms'.
        """
        shown = self.agreement(agreement_id)
        request = RunRequest(
            agreement=from_hex(agreement_id),
            party=self._party(shown)["party"],
            name=name,
            salt=secrets.token_bytes(32),
            generation=generation,
            continues=from_hex(continues) if continues else bytes(32),
            deadline=int(time.time()) + _REQUEST_LIFETIME_S,
        )
        signature = sign(self.domain("training"), request, self.wallet)
        body = {
            "request": to_json(request),
            "terms": shown["agreement"]["terms"],
            "signature": to_hex(signature),
        }
        operation: Fields = self.request("POST", "/api/runs", body)["operation"]
        return operation

    def runs(self) -> list[Fields]:
        return self.many("/api/runs")

    def run(self, run_id: str) -> Fields:
        return self.one("GET", f"/api/runs/{run_id}")

    def rounds(self, run_id: str) -> list[Fields]:
        return self.many(f"/api/runs/{run_id}/rounds?limit=100")

    def write_note(self, run_id: str, note: Fields) -> Fields:
        """Replaces what is written about a run; see `marketplace.runs.notes.Note`."""
        found: Fields = self.request("PUT", f"/api/runs/{run_id}/note", note)
        return found

    def compare(self, run_ids: list[str]) -> Fields:
        chosen = "&".join(f"run={each}" for each in run_ids)
        found: Fields = self.request("GET", f"/api/runs/comparison?{chosen}")
        return found

    def usage(self, run_id: str) -> Fields:
        return self.one("GET", f"/api/runs/{run_id}/usage")

    def usage_reports(self, run_id: str, round_number: int) -> list[Fields]:
        return self.many(f"/api/runs/{run_id}/usage/{round_number}")
