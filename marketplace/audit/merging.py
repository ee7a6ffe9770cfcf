"""From commits to the merged hash: what the nodes did with each other's files, done again."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from marketplace.audit.artifacts import Commit
from marketplace.audit.commits import Commits, Files, Sealed, header
from marketplace.audit.findings import Findings, Step
from marketplace.audit.records import Records
from metering.split import node_weights
from node_agent.errors import NodeError
from node_agent.merge.coalition import Whole
from node_agent.merge.registry import find_rule, merge, state_root
from node_agent.parameters.format import ParameterFile


@dataclass(frozen=True, slots=True)
class Merge:
    """What a round was merged from: the updates that went in, in the order of the merge."""

    commits: tuple[Commit, ...]
    parties: tuple[int, ...]
    merged: Path | None
    whole: Whole | None
    """To merge parts of it again; None where its base is not there, or nothing was merged."""


class Merging:
    """Merges rounds again. Keeps the last merged model, for who has lost it. Close when done."""

    def __init__(self, records: Records, findings: Findings, files: Files) -> None:
        self._records, self._findings, self._files = records, findings, files
        self._commits = Commits(records, findings, files)
        self._scratch = tempfile.TemporaryDirectory(prefix="swarm-audit-")

    def close(self) -> None:
        """Delete what was merged."""
        self._scratch.cleanup()

    def merge(self, sealed: Sealed) -> Merge | None:
        """Check a round's roster, commits and files, and merge them again.

        Returns:
            None where it cannot be said what went in.
        """
        accepted = self._commits.accepted(sealed)
        if accepted is None:
            return None
        commits = tuple(commit for commit, _ in accepted)
        files = tuple(path for _, path in accepted)
        parties = tuple(sealed.members.nodes[each.registration].party for each in commits)
        what = "the model it started from"
        base = self._files.find(sealed, Step.MERGE, "", sealed.base_root, what)
        return Merge(commits, parties, *self._merged(sealed, parties, files, base))

    def _merged(
        self,
        sealed: Sealed,
        parties: Sequence[int],
        files: Sequence[Path],
        base: Path | None,
    ) -> tuple[Path | None, Whole | None]:
        place, root = sealed.place(Step.MERGE), sealed.attestation.merged_root
        if not files:
            self._findings.same(place, "merged model of no updates", sealed.base_root, root)
            self._findings.done(Step.MERGE)
            return base, None
        terms = self._records.terms
        metadata = header(sealed, "merged")
        start = ParameterFile.open(base) if base else None
        weights = node_weights(parties, {n: p.weight for n, p in enumerate(self._records.parties)})
        out, state_out = (Path(self._scratch.name) / name for name in ("merged", "state"))
        try:
            rule = find_rule(terms.merge_rule, terms.merge_parameter)
            if start is None and (rule.needs_base or rule.state_schema):
                self._findings.gap(place, f"no artifacts hold {sealed.base_root.hex()}, its base")
                return None, None
            wanted = state_root(start, metadata) if rule.state_schema else None
            state = (
                self._files.find(sealed, Step.MERGE, "", wanted, "its state") if wanted else None
            )
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
        self._keep(made, base, state)
        whole = (
            None
            if base is None
            else Whole(
                rule=terms.merge_rule,
                parameter_e6=terms.merge_parameter,
                parties=tuple(parties),
                files=tuple(files),
                weights=tuple(weights),
                coefficients=outcome.coefficients,
                base=base,
                state=state,
            )
        )
        return self._files.made[root], whole

    def _keep(self, made: dict[bytes, Path], *used: Path | None) -> None:
        """Keep what was merged under its root, and of older ones only what it was made of."""
        for root, path in list(self._files.made.items()):
            if path not in used:
                path.unlink()
                del self._files.made[root]
        for root, path in made.items():
            self._files.made[root] = path.rename(path.with_name(f"{root.hex()}.safetensors"))
