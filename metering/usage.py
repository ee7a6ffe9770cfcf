"""What taking part cost a node, round by round: shown beside its contribution, never paid by.

A node reports about itself, and nobody can check how long it computed. So usage is signed (by the
node's key, over `Usage.to_bytes`), shown and added up, for operators and for talks about who bears
which cost; no function of `metering.split`, `metering.vesting` or `metering.ledger` takes it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from metering import canonical
from metering.errors import MeteringError

FORM = "swarm-usage-1"
# What an unsigned 64-bit integer holds; 500 million years of milliseconds.
_LIMIT = 2**64
_MEASURED = (
    "bytes_served",
    "bytes_fetched",
    "training_ms",
    "evaluation_ms",
    "merge_ms",
    "samples",
    "restarts",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What one node used in one round, by its own account.

    Attributes:
        run: 0x-hex id of the run.
        round: number of the round.
        node: SPIFFE ID.
        bytes_served: sent to peers, of updates and models.
        bytes_fetched: received from peers, of updates and models.
        training_ms: compute time of training: wall-clock time of the training process.
        evaluation_ms: of evaluating, of averaging the gradient, and of the scores from it.
        merge_ms: of merging.
        samples: trained on; one seen twice counts twice.
        restarts: how often the agent was started anew within the round; what it had not written
            down by then is missing above.
        energy_j: energy in joules, where the machine lets it be read; None elsewhere.
    """

    run: str
    round: int
    node: str
    bytes_served: int
    bytes_fetched: int
    training_ms: int
    evaluation_ms: int
    merge_ms: int
    samples: int
    restarts: int = 0
    energy_j: int | None = None

    def __post_init__(self) -> None:
        for name in ("round", *_MEASURED):
            _check(name, getattr(self, name))
        if self.energy_j is not None:
            _check("energy_j", self.energy_j)
        organization_of(self.node)

    @property
    def organization(self) -> str:
        """The organization in the node's SPIFFE ID."""
        return organization_of(self.node)

    def to_bytes(self) -> bytes:
        """Return the canonical bytes, see `metering.canonical`: what the node signs and sends."""
        return canonical.to_bytes(self, FORM)


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageSum:
    """Usage of several nodes and rounds.

    Attributes:
        reports: of how many nodes and rounds.
        energy_j: of those reports that have it; None if none has.
        energy_reports: how many these are.
    """

    reports: int
    bytes_served: int
    bytes_fetched: int
    training_ms: int
    evaluation_ms: int
    merge_ms: int
    samples: int
    restarts: int
    energy_j: int | None
    energy_reports: int

    @property
    def compute_s(self) -> float:
        """All compute time in seconds."""
        return (self.training_ms + self.evaluation_ms + self.merge_ms) / 1000


def parse(data: bytes) -> Usage:
    """Read what `Usage.to_bytes` wrote.

    Raises:
        MeteringError: anything else.
    """
    return canonical.from_bytes(Usage, data, FORM)


def organization_of(node: str) -> str:
    """Return the organization in a node's SPIFFE ID.

    Raises:
        MeteringError: it is none.
    """
    parts = node.split("/") if isinstance(node, str) else []
    fits = len(parts) == 7 and parts[0] == "spiffe:" and parts[3] == "org" and parts[5] == "node"
    if not fits or parts[1] or not all((parts[2], parts[4], parts[6])):
        raise MeteringError(
            f"{node!r} is not a node's SPIFFE ID",
            hint="spiffe://<trust domain>/org/<organization>/node/<node>",
        )
    return parts[4]


def total(reports: Iterable[Usage]) -> UsageSum:
    """Add up reports; the same one heard twice counts once.

    Raises:
        MeteringError: a node reports one round in two ways.
    """
    distinct = list(_distinct(reports))
    energies = [each.energy_j for each in distinct if each.energy_j is not None]
    return UsageSum(
        reports=len(distinct),
        energy_j=sum(energies) if energies else None,
        energy_reports=len(energies),
        **{name: sum(getattr(each, name) for each in distinct) for name in _MEASURED},
    )


def total_of(sums: Iterable[UsageSum]) -> UsageSum:
    """Add up sums of reports that are none of each other's."""
    given = list(sums)
    energies = [each.energy_j for each in given if each.energy_j is not None]
    counted = ("reports", "energy_reports", *_MEASURED)
    return UsageSum(
        energy_j=sum(energies) if energies else None,
        **{name: sum(getattr(each, name) for each in given) for name in counted},
    )


def _distinct(reports: Iterable[Usage]) -> Iterator[Usage]:
    seen: dict[tuple[str, int, str], Usage] = {}
    for report in reports:
        known = seen.setdefault((report.run, report.round, report.node), report)
        if known != report:
            raise MeteringError(
                f"{report.node} reports its usage in round {report.round} in two ways"
            )
    yield from seen.values()


def _check(name: str, value: int) -> None:
    if type(value) is not int or not 0 <= value < _LIMIT:
        raise MeteringError(f"{name} is {value!r}, expected a whole number from 0 up")
