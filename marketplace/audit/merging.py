"""From commits to the merged hash: what the nodes did with each other's files, done again."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
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
from marketplace.audit.artifacts import Altered, Artifacts, Commit, SignedRoster
from marketplace.audit.findings import Findings, Place, Step
from marketplace.audit.records import Records
from marketplace.audit.seals import Members
from metering.split import node_weights
from node_agent.errors import NodeError, ParameterError
from node_agent.merge.registry import find_rule, merge, state_root
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


@dataclass(frozen=True, slots=True)
class Merge:
    """What a round was merged from: the updates that went in, in the order of the merge."""

    commits: tuple[Commit, ...]
    parties: tuple[int, ...]
    files: tuple[Path, ...]
    base: Path | None
    merged: Path | None
    coefficients: tuple[Fraction, ...] | None
    """merged = base + Σ c_i · (update_i − base), where the rule is of that kind."""


class Merging:
    """Merges rounds again. Keeps the last merged model, for who has lost it. Close when done."""

    def __init__(self, records: Records, findings: Findings, artifacts: Artifacts) -> None:
        self._records, self._findings, self._artifacts = records, findings, artifacts
        self._scratch = tempfile.TemporaryDirectory(prefix="swarm-audit-")
        self._made: dict[bytes, Path] = {}

    def close(self) -> None:
        """Delete what was merged."""
        self._scratch.cleanup()

    def merge(self, sealed: Sealed) -> Merge | None:
        """Check a round's roster, commits and files, and merge them again.

        Returns:
            None where it cannot be said what went in.
        """
        roster = self._roster(sealed)
        if roster is None:
            return None
        found = self._updates(sealed, roster)
        if found is None:
            return None
        commits, files = found
        parties = [sealed.members.nodes[each.registration].party for each in commits]
        base = self.file(sealed, Step.MERGE, "", sealed.base_root, "the model it started from")
        merged = self._merged(sealed, commits, parties, files, base)
        return Merge(tuple(commits), tuple(parties), tuple(files), base, merged[0], merged[1])

    def file(
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
        return found if isinstance(found, Path) else self._made.get(root)

    # -- roster and commits

    def _roster(self, sealed: Sealed) -> SignedRoster | None:
        place, root = sealed.place(Step.COMMITS), sealed.attestation.roster_root
        noted = self._artifacts.rosters(root)
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

    def _updates(
        self, sealed: Sealed, roster: SignedRoster
    ) -> tuple[list[Commit], list[Path]] | None:
        """The updates that went in, and their files; None where one is not there."""
        recorded = dict(unpack_rejects(sealed.attestation.rejects))
        taken: list[Commit] = []
        files: list[Path] = []
        rejected: dict[int, int] = {}
        complete = True
        for commit in roster.commits:
            name = self._name(sealed, commit.registration)
            place, root = sealed.place(Step.UPDATES, name), commit.update.root
            path = self.file(sealed, Step.UPDATES, name, root, "the update")
            if path is None:
                complete = complete and commit.registration in recorded
                self._findings.gap(place, f"no artifacts hold its update {root.hex()}")
                if commit.registration in recorded:  # what was left out is not missed in the merge
                    rejected[commit.registration] = recorded[commit.registration]
                continue
            self._findings.same(
                place, "size of the update", commit.update.size, path.stat().st_size
            )
            reject = self._check(sealed, commit, path)
            if reject is None:
                taken.append(commit)
                files.append(path)
            else:
                rejected[commit.registration] = int(reject.reason)
                expected = recorded.get(commit.registration)
                if expected is None:
                    self._findings.differ(
                        place, "its update", "one that can be merged", f"one with {reject.text}"
                    )
        if not complete:
            return None
        found = pack_rejects(sorted(rejected.items()))
        self._findings.same(
            sealed.place(Step.UPDATES), "rejected updates", found, sealed.attestation.rejects
        )
        self._findings.done(Step.UPDATES)
        return taken, files

    def _check(self, sealed: Sealed, commit: Commit, path: Path) -> Reject | None:
        """What every node asks of an update before it merges it."""
        try:
            file = ParameterFile.open(path)
        except ParameterError as error:
            return Reject(Reason.HEADER, str(error))
        expected = self._metadata(sealed, "update")
        expected["node"] = self._spiffe_id(sealed, commit.registration)
        return check_update(file, self._schema(sealed) or file.schema, expected)

    def _schema(self, sealed: Sealed) -> Schema | None:
        """The run's schema: that of the model it started from, whose hash the terms name."""
        for root in (self._records.terms.initial_root, sealed.base_root):
            path = self._artifacts.file(root)
            path = path if isinstance(path, Path) else self._made.get(root)
            if path is None:
                continue
            schema = ParameterFile.open(path).schema
            if schema_hash(schema) == self._records.terms.schema_hash:
                return schema
        return None

    def _metadata(self, sealed: Sealed, kind: str) -> dict[str, str]:
        attestation = sealed.attestation
        return {
            "format": "swarm-1",
            "kind": kind,
            "run": "0x" + attestation.run_id.hex(),
            "round": str(attestation.round),
            "prev": "0x" + attestation.prev.hex(),
        }

    # -- merging

    def _merged(
        self,
        sealed: Sealed,
        commits: Sequence[Commit],
        parties: Sequence[int],
        files: Sequence[Path],
        base: Path | None,
    ) -> tuple[Path | None, tuple[Fraction, ...] | None]:
        place, root = sealed.place(Step.MERGE), sealed.attestation.merged_root
        if not commits:
            self._findings.same(place, "merged model of no updates", sealed.base_root, root)
            self._findings.done(Step.MERGE)
            return base, None
        terms = self._records.terms
        metadata = self._metadata(sealed, "merged")
        start = ParameterFile.open(base) if base else None
        weights = node_weights(parties, {n: p.weight for n, p in enumerate(self._records.parties)})
        out, state_out = (Path(self._scratch.name) / name for name in ("merged", "state"))
        try:
            rule = find_rule(terms.merge_rule, terms.merge_parameter)
            if start is None and (rule.needs_base or rule.state_schema):
                self._findings.gap(place, f"no artifacts hold {sealed.base_root.hex()}, its base")
                return None, None
            wanted = state_root(start, metadata) if rule.state_schema else None
            state = self.file(sealed, Step.MERGE, "", wanted, "its state") if wanted else None
            if wanted and state is None:
                self._findings.gap(place, f"no artifacts hold {wanted.hex()}, the rule's state")
                return None, None
            outcome = merge(
                terms.merge_rule,
                [ParameterFile.open(path) for path in files],
                weights,
                out,
                metadata,
                parameter_e6=terms.merge_parameter,
                base=start,
                state=ParameterFile.open(state) if state else None,
                state_path=state_out if rule.state_schema else None,
            )
        except NodeError as error:  # a rule that is not installed here, for example
            self._findings.gap(place, str(error))
            return None, None
        self._findings.same(place, "BLAKE3 of the merged model", outcome.written.root, root)
        self._findings.done(Step.MERGE)
        made = {root: out}
        if outcome.state:
            made[outcome.state.root] = state_out
        self._keep(made, base)
        return self._made[root], outcome.coefficients

    def _keep(self, made: dict[bytes, Path], base: Path | None) -> None:
        """Keep what was merged under its root, and of older ones only what is still the base."""
        for root, path in list(self._made.items()):
            if path != base:
                path.unlink()
                del self._made[root]
        for root, path in made.items():
            self._made[root] = path.rename(path.with_name(f"{root.hex()}.safetensors"))
