"""What a merge rule is given, what it gives, and the rules that come with the agent.

A rule is a number and a name in the run's terms, and a function from updates to a merged file. It
must compute the same bytes at every node: from what is in `Work` alone, elementwise or by exact
sums, whatever the number of threads.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from node_agent.errors import ParameterError
from node_agent.merge.blocks import Kernel, merge_blockwise
from node_agent.merge.clipping import centered_clipping, norm_clipped
from node_agent.merge.coordinate import median_kernel, trimmed_kernel
from node_agent.merge.geometric import geometric_median
from node_agent.merge.gram import inner_products, square_norms
from node_agent.merge.krum import krum, multi_krum
from node_agent.merge.mean import MeanKernel
from node_agent.merge.optimizers import ADAGRAD, ADAM, MOMENTUM, YOGI, Optimizer
from node_agent.merge.weights import FINENESS, in_lowest_terms, in_parts
from node_agent.parameters.dtypes import FLOATS
from node_agent.parameters.format import ParameterFile, Written
from node_agent.parameters.schema import Schema

STATE = "state"  # kind of a state's file, and key of its root in the merged file's header
E6 = 10**6
_BELOW_HALF_E6 = E6 // 2 - 1
_UINT32 = 2**32 - 1


@dataclass(frozen=True, slots=True)
class Work:
    """One merge; `files` are in the order of the SPIFFE IDs in their headers."""

    files: tuple[ParameterFile, ...]
    ratio: tuple[int, ...]
    """The files' weights as whole numbers in lowest terms."""
    parameter_e6: int
    """Of the rule, in 1e-6; never zero."""
    base: ParameterFile | None
    """The model that the round started from."""
    state: ParameterFile | None
    """What the rule left in the last round; None in the first."""
    out_path: Path
    state_path: Path | None
    metadata: Mapping[str, str]
    threads: int

    @property
    def parameter(self) -> Fraction:
        return Fraction(self.parameter_e6, E6)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a merge wrote.

    `coefficients`: one a file, in the caller's order, where the float tensors of the merged model
    are base + Σ c_i·(u_i − base): then −c_i·⟨gradient, u_i − base⟩ scores what was merged. None
    where each coordinate has coefficients of its own: such merges are scored by their losses.
    """

    written: Written
    coefficients: tuple[Fraction, ...] | None
    state: Written | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """A merge rule as the run's terms name it; plug-ins have numbers from 128 to 255."""

    number: int
    name: str
    apply: Callable[[Work], Outcome]
    default_e6: int = E6
    """The parameter where the terms say zero."""
    largest_e6: int = _UINT32
    needs_base: bool = False
    state_schema: Callable[[Schema], Schema] | None = None
    """Of rules that keep a state: what it looks like for a model's schema."""


def _by_kernel(work: Work, make_kernel: Callable[[], Kernel]) -> Outcome:
    return Outcome(_written(work, work.files, make_kernel), None)


def _combined(work: Work, parts: Sequence[int], base_parts: int) -> Outcome:
    """Write Σ parts·update + base_parts·base; integers and bools by their weighted median."""
    files = list(work.files)
    if base_parts and work.base is not None:
        files.append(work.base)
        parts = [*parts, base_parts]
    count, total = len(work.files), sum(parts)

    def make_kernel() -> Kernel:
        floats, others = MeanKernel(parts), median_kernel(work.ratio)
        return lambda block, inputs: (
            floats(block, inputs) if block.tag in FLOATS else others(block, inputs[:count])
        )

    coefficients = tuple(Fraction(part, total) for part in parts[:count])
    return Outcome(_written(work, files, make_kernel), coefficients)


def combine(
    files: Sequence[ParameterFile],
    coefficients: Sequence[Fraction],
    base: ParameterFile,
    out_path: Path,
    metadata: Mapping[str, str],
    *,
    threads: int = 2,
) -> Written:
    """Write base + Σ c_i·(u_i − base) of some of a merge's files; what is no float is the base's.

    Args:
        coefficients: one a file, from an `Outcome`; together at most 1.
    """
    scale = math.lcm(*(c.denominator for c in coefficients))
    parts = [int(c * scale) for c in coefficients]

    def make_kernel() -> Kernel:
        floats = MeanKernel([*parts, scale - sum(parts)])
        return lambda block, inputs: floats(block, inputs) if block.tag in FLOATS else inputs[-1]

    return merge_blockwise([*files, base], out_path, metadata, make_kernel, threads=threads)


def _written(
    work: Work, files: Sequence[ParameterFile], make_kernel: Callable[[], Kernel]
) -> Written:
    return merge_blockwise(files, work.out_path, work.metadata, make_kernel, threads=work.threads)


def _mean(work: Work) -> Outcome:
    written = _written(work, work.files, lambda: MeanKernel(work.ratio))
    total = sum(work.ratio)
    return Outcome(written, tuple(Fraction(weight, total) for weight in work.ratio))


def _clipped(work: Work, shares: Sequence[float] | None) -> Outcome:
    if shares is None:
        return _combined(work, work.ratio, 0)
    parts = in_parts(shares)
    return _combined(work, parts, FINENESS - sum(parts))


def _norm_clipped_mean(work: Work) -> Outcome:
    squares = square_norms(work.files, _base(work), threads=work.threads)
    return _clipped(work, norm_clipped(squares, work.ratio, float(work.parameter)))


def _centered_clipping(work: Work) -> Outcome:
    gram = inner_products(work.files, _base(work), threads=work.threads)
    return _clipped(work, centered_clipping(gram, work.ratio, float(work.parameter)))


def _coordinate_median(work: Work) -> Outcome:
    return _by_kernel(work, lambda: median_kernel(work.ratio))


def _trimmed_mean(work: Work) -> Outcome:
    return _by_kernel(work, lambda: trimmed_kernel(work.ratio, work.parameter_e6))


def _geometric_median(work: Work) -> Outcome:
    gram = inner_products(work.files, None, threads=work.threads)
    parts = in_parts(geometric_median(gram, work.ratio, float(work.parameter)))
    parts[parts.index(max(parts))] += FINENESS - sum(parts)
    return _combined(work, parts, 0)


def _krum(work: Work) -> Outcome:
    gram = inner_products(work.files, None, threads=work.threads)
    return _combined(work, [int(w) for w in krum(gram, work.ratio, work.parameter)], 0)


def _multi_krum(work: Work) -> Outcome:
    gram = inner_products(work.files, None, threads=work.threads)
    weights = multi_krum(gram, work.ratio, work.parameter)
    taken = iter(in_lowest_terms([weight for weight in weights if weight]))
    return _combined(work, [next(taken) if weight else 0 for weight in weights], 0)


def _optimizer(optimizer: Optimizer) -> Callable[[Work], Outcome]:
    def apply(work: Work) -> Outcome:
        base, path = _base(work), work.state_path
        if path is None:
            raise ParameterError("this merge rule keeps a state, and needs a place to write it")
        about_state = {**work.metadata, "kind": STATE}
        state = optimizer.next_state(
            work.files, work.ratio, base, work.state, path, about_state, work.threads
        )
        metadata = {**work.metadata, STATE: state.root.hex()}
        written = optimizer.step(
            work.files,
            work.ratio,
            base,
            ParameterFile.open(path),
            float(work.parameter),
            work.out_path,
            metadata,
            work.threads,
        )
        return Outcome(written, None, state)

    return apply


def _base(work: Work) -> ParameterFile:
    if work.base is None:
        raise ParameterError("this merge rule needs the model that the round started from")
    return work.base


def _server(number: int, name: str, default_e6: int, optimizer: Optimizer) -> Rule:
    apply = _optimizer(optimizer)
    schema = optimizer.state_schema
    return Rule(number, name, apply, default_e6, needs_base=True, state_schema=schema)


BUILT_IN = (
    Rule(0, "mean", _mean),
    Rule(1, "norm-clipped-mean", _norm_clipped_mean, needs_base=True),
    Rule(2, "coordinate-median", _coordinate_median),
    Rule(3, "geometric-median", _geometric_median, 100),
    Rule(4, "trimmed-mean", _trimmed_mean, 200_000, _BELOW_HALF_E6),
    Rule(5, "krum", _krum, 200_000, _BELOW_HALF_E6),
    Rule(6, "multi-krum", _multi_krum, 200_000, _BELOW_HALF_E6),
    Rule(7, "centered-clipping", _centered_clipping, needs_base=True),
    _server(8, "server-momentum", 100_000, MOMENTUM),
    _server(9, "server-adagrad", 100_000, ADAGRAD),
    _server(10, "server-adam", 10_000, ADAM),
    _server(11, "server-yogi", 10_000, YOGI),
)
