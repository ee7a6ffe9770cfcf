"""Commits, and the files behind them: what the nodes had from each other when they merged."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from contracts.errors import MessageError
from contracts.messages import (
    Attestation,
    Struct,
    digest,
    pack_rejects,
    recover,
    unpack_rejects,
    updates_root,
)
from contracts.parties import parties_in
from marketplace.audit.artifacts import Altered, Artifacts, Commit, SignedRoster
from marketplace.audit.findings import Findings, Place, Step
from marketplace.audit.records import Records
from marketplace.audit.seals import Members
from node_agent.errors import ParameterError
from node_agent.parameters.check import Reason, Reject, check_update
from node_agent.parameters.format import ParameterFile
from node_agent.parameters.schema import Schema, schema_hash


@dataclass(frozen=True, slots=True)
class Sealed:
    """One sealed round: what was attested, and by whom it could be."""

    attestation: Attestation
    transaction: str
    members: Members
    base_root: bytes

    def place(self, step: Step, organization: str = "") -> Place:
        """This round, for findings."""
        return Place(
            step=step,
            round=self.attestation.round,
            organization=organization,
            transaction=self.transaction,
        )


class Files:
    """Parameter files by their roots: the nodes' own, and what the audit has merged again."""

    def __init__(self, findings: Findings, artifacts: Artifacts) -> None:
        self._findings, self._artifacts = findings, artifacts
        self.made: dict[bytes, Path] = {}

    def find(
        self, sealed: Sealed, step: Step, organization: str, root: bytes, what: str
    ) -> Path | None:
        """The file with this root; None where there is none. One that was altered is a difference.

        Raises FirstDifference.
        """
        found = self._artifacts.file(root)
        if isinstance(found, Altered):
            self._findings.same(
                sealed.place(step, organization),
                f"BLAKE3 of {what}, {found.path}",
                root,
                found.found,
            )
        return found if isinstance(found, Path) else self.made.get(root)

    def rosters(self, root: bytes) -> list[SignedRoster]:
        """The roster with this struct hash, as each node noted it."""
        return self._artifacts.rosters(root)

    def known(self, root: bytes) -> Path | None:
        """As `find`, but an altered file is as good as none."""
        found = self._artifacts.file(root)
        return found if isinstance(found, Path) else self.made.get(root)


class Commits:
    """Checks a round's roster, commits and files."""

    def __init__(self, records: Records, findings: Findings, files: Files) -> None:
        self._records, self._findings, self._files = records, findings, files

    def accepted(self, sealed: Sealed) -> list[tuple[Commit, Path]] | None:
        """The updates that went into a round, with their files, in the order of the merge.

        Returns:
            None where it cannot be said what went in.
        """
        roster = self._roster(sealed)
        return None if roster is None else self._updates(sealed, roster)

    # -- roster and commits

    def _roster(self, sealed: Sealed) -> SignedRoster | None:
        place, root = sealed.place(Step.COMMITS), sealed.attestation.roster_root
        noted = self._files.rosters(root)
        if not noted:
            self._findings.gap(place, f"no artifacts hold the roster 0x{root.hex()}")
            return None
        # Whoever altered a commit has altered his own copy only.
        whole = [each for each in noted if self._root_of(each) == each.roster.updates_root]
        roster = (whole or noted)[0]
        self._findings.same(
            place, "hash over the commits", roster.roster.updates_root, self._root_of(roster)
        )
        self._of_this_round(sealed, place, "roster", roster.roster)
        self._findings.same(
            place, "term of the roster", sealed.attestation.term, roster.roster.term
        )
        self._signed(sealed, place, "roster", roster.roster, roster.registration, roster.signature)
        members = tuple(each.registration for each in roster.commits)
        self._findings.same(place, "members of the roster", roster.roster.members, members)
        in_order = sorted(members, key=lambda n: self._spiffe_id(sealed, n))
        self._findings.same(place, "order of the roster", tuple(in_order), members)
        for commit in roster.commits:
            own = sealed.place(Step.COMMITS, self._name(sealed, commit.registration))
            update = commit.update
            self._of_this_round(sealed, own, "commit", update)
            self._findings.same(own, "node of the commit", commit.registration, update.registration)
            self._signed(sealed, own, "commit", update, commit.registration, commit.signature)
            party = sealed.members.nodes[commit.registration].party
            if party not in parties_in(sealed.members.active):
                self._findings.differ(own, "its part in the round", "none: it was away", "a commit")
            if update.samples < self._records.terms.min_samples:
                least = f"{self._records.terms.min_samples} or more"
                self._findings.differ(own, "samples", least, str(update.samples))
        self._findings.done(Step.COMMITS)
        return roster

    def _root_of(self, roster: SignedRoster) -> bytes:
        return updates_root([digest(self._records.domain, c.update) for c in roster.commits])

    def _of_this_round(self, sealed: Sealed, place: Place, what: str, message: Struct) -> None:
        for name in ("run_id", "round", "prev"):
            expected = getattr(sealed.attestation, name)
            self._findings.same(place, f"{name} of the {what}", expected, getattr(message, name))

    def _signed(
        self, sealed: Sealed, place: Place, what: str, message: Struct, who: int, signature: bytes
    ) -> None:
        node = sealed.members.nodes.get(who)
        if node is None:
            self._findings.differ(
                place, f"who signed the {what}", "a node of the snapshot", f"registration {who}"
            )
            return
        try:
            found = recover(self._records.domain, message, signature)
        except MessageError as error:
            found = str(error)
        self._findings.same(place, f"key that signed the {what}", node.key, found)

    def _spiffe_id(self, sealed: Sealed, registration: int) -> str:
        node = sealed.members.nodes.get(registration)
        return node.spiffe_id if node else ""

    def _name(self, sealed: Sealed, registration: int) -> str:
        node = sealed.members.nodes.get(registration)
        return self._records.organization(node.party) if node else f"registration {registration}"

    # -- files

    def _updates(self, sealed: Sealed, roster: SignedRoster) -> list[tuple[Commit, Path]] | None:
        """The updates that went in, and their files; None where one is not there."""
        recorded = dict(unpack_rejects(sealed.attestation.rejects))
        taken: list[tuple[Commit, Path]] = []
        rejected: dict[int, int] = {}
        complete = True
        for commit in roster.commits:
            who = commit.registration
            name = self._name(sealed, who)
            place, root = sealed.place(Step.UPDATES, name), commit.update.root
            if recorded.get(who) == Reason.UNAVAILABLE:
                self._findings.gap(place, "whether its update could be had then, no file tells")
                rejected[who] = recorded[who]
                continue
            path = self._files.find(sealed, Step.UPDATES, name, root, "the update")
            if path is None:
                self._findings.gap(place, f"no artifacts hold its update {root.hex()}")
                # What was left out is not missed in the merge.
                complete = complete and who in recorded
                rejected |= {who: recorded[who]} if who in recorded else {}
                continue
            size = path.stat().st_size
            self._findings.same(place, "size of the update", commit.update.size, size)
            reject = self._check(sealed, commit, path)
            if reject is None:
                taken.append((commit, path))
                continue
            rejected[who] = int(reject.reason)
            if who not in recorded:
                self._findings.differ(
                    place, "its update", "one that can be merged", f"one with {reject.text}"
                )
        if not complete:
            return None
        found = pack_rejects(sorted(rejected.items()))
        place = sealed.place(Step.UPDATES)
        self._findings.same(place, "rejected updates", found, sealed.attestation.rejects)
        self._findings.done(Step.UPDATES)
        return taken

    def _check(self, sealed: Sealed, commit: Commit, path: Path) -> Reject | None:
        """What every node asks of an update before it merges it."""
        try:
            file = ParameterFile.open(path)
        except ParameterError as error:
            return Reject(Reason.HEADER, str(error))
        expected = header(sealed, "update")
        expected["node"] = self._spiffe_id(sealed, commit.registration)
        return check_update(file, self._schema(sealed) or file.schema, expected)

    def _schema(self, sealed: Sealed) -> Schema | None:
        """The run's schema: that of the model it started from, whose hash the terms name."""
        for root in (self._records.terms.initial_root, sealed.base_root):
            if path := self._files.known(root):
                schema = ParameterFile.open(path).schema
                if schema_hash(schema) == self._records.terms.schema_hash:
                    return schema
        return None


def header(sealed: Sealed, kind: str) -> dict[str, str]:
    """What the headers of a round's files say; updates also name their node."""
    attestation = sealed.attestation
    return {
        "format": "swarm-1",
        "kind": kind,
        "run": "0x" + attestation.run_id.hex(),
        "round": str(attestation.round),
        "prev": "0x" + attestation.prev.hex(),
    }
