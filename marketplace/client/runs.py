"""Runs: asked for, followed, compared."""

from __future__ import annotations

from contracts.messages import RunRequest, from_json, sign
from marketplace.client.agreements import AgreementCalls
from marketplace.client.connection import Fields, from_hex, to_hex
from marketplace.errors import WrongSignature


class RunCalls(AgreementCalls):
    """The part of the client that is about runs."""

    def prepare_run(self, agreement_id: str, name: str, continues: str = "") -> Fields:
        """The request for a run in the name of the party whose wallet this is, to be signed.

        Its `generation` is 1, or one more than that of the finished run of this name.

        Raises:
            NotFound: this wallet is no party.
            Conflict: the agreement is not in force, or a run of this name is not over.
            WrongSignature: the prepared request is not the one asked for.
        """
        party = self._party(self.agreement(agreement_id))
        body: Fields = {
            "agreement": agreement_id,
            "organization": party["organization"],
            "name": name,
        } | ({"continues": continues} if continues else {})
        prepared = self.one("POST", "/api/runs/prepare", body)
        request = from_json(RunRequest, prepared["request"])
        meant = (
            from_hex(agreement_id),
            party["party"],
            name,
            from_hex(continues) if continues else bytes(32),
        )
        if (request.agreement, request.party, request.name, request.continues) != meant:
            raise WrongSignature("the run is not the one that was asked for", hint="do not sign")
        return prepared

    def create_run(self, agreement_id: str, name: str, *, continues: str = "") -> Fields:
        """Asks for a run in the name of the party whose wallet this is; gives the operation.

        Args:
            agreement_id: under which.
            name: of the run; that of a finished one begins it anew.
            continues: id of a finished run, to start from its model; empty: from the terms'.

        Raises:
            NotFound, Conflict, WrongSignature: see `prepare_run`.
        """
        return self.begin_run(self.prepare_run(agreement_id, name, continues))

    def begin_run(self, prepared: Fields) -> Fields:
        """Signs and hands in a prepared request; gives the operation."""
        request = from_json(RunRequest, prepared["request"])
        body = {
            "request": prepared["request"],
            "terms": prepared["terms"],
            "signature": to_hex(sign(self.domain("training"), request, self.wallet)),
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
