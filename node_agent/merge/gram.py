"""Inner products of all updates with one another: exact sums, so any order gives the same bits.

A float sum depends on its order, and the order in which a library adds depends on the processor
and the number of threads. Integers below 2**53 do not: float64 adds and multiplies them without
rounding. So each update's difference d from the centre (float32) is rounded, in chunks of 2**13
elements, to multiples of 2**−20 of the power of two above the chunk's largest |d|: whole numbers of
20 bits, whose products have 40 and whose sums over a chunk have 53. BLAS may then add them in any
order, in any vector width, fused or not. Chunks are added in the order of the file, in groups of
fixed size, and the groups by `math.fsum`, which rounds once.

The rounding moves a coordinate by at most 2**−20 of its chunk's largest: a distance by a millionth.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from node_agent.merge.blocks import BLOCK, Block, common_schema, cut_floats, in_threads
from node_agent.merge.coordinate import in_float32
from node_agent.merge.sorting import Network
from node_agent.parameters.format import ParameterFile

_CHUNK = 1 << 13  # elements; 2 · 20 bits of a product + 13 of a sum = 53 of a float64
_BITS = 20
_CACHED = 1 << 18  # elements of all files; in float32 and float64 they stay in cache
_GROUP = 8  # blocks that are added one after the other; part of the definition
_LARGEST = 2.0**96  # what differs by more (or overflows) counts as this

Gram = list[list[float]]


def inner_products(
    files: Sequence[ParameterFile], centre: ParameterFile | None, *, threads: int = 2
) -> Gram:
    """Return ⟨u_i − c, u_j − c⟩ of all pairs, over the float tensors.

    Args:
        files: the updates u, at least one, of one schema.
        centre: c; None for the unweighted coordinate median of the updates (in float32).
        threads: does not change the result.
    """
    count = len(files)
    sums = _sums(files, centre, threads, (count, count + 1), _multiply)
    return [[math.fsum(sums[:, i, j]) for j in range(count)] for i in range(count)]


def square_norms(
    files: Sequence[ParameterFile], centre: ParameterFile, *, threads: int = 2
) -> list[float]:
    """Return ‖u_i − c‖², the diagonal of `inner_products`, at the cost of one pass."""
    sums = _sums(files, centre, threads, (len(files),), _square)
    return [math.fsum(sums[:, i]) for i in range(len(files))]


def _multiply(whole: np.ndarray) -> np.ndarray:
    # The last row is zero. It makes the factors differ in shape: of a matrix and its own transpose
    # NumPy makes a rank-k update, which is several times slower for matrices as flat as these.
    product: np.ndarray = np.matmul(whole[:, :-1], whole.transpose(0, 2, 1))
    return product


def _square(whole: np.ndarray) -> np.ndarray:
    rows = whole[:, :-1]
    squared: np.ndarray = np.einsum("cik,cik->ci", rows, rows)
    return squared


def _sums(
    files: Sequence[ParameterFile],
    centre: ParameterFile | None,
    threads: int,
    shape: tuple[int, ...],
    multiply: Callable[[np.ndarray], np.ndarray],
) -> np.ndarray:
    schema = common_schema([*files, *([centre] if centre else [])])
    blocks = cut_floats(schema)
    groups = [blocks[first : first + _GROUP] for first in range(0, len(blocks), _GROUP)]
    sums = np.zeros((len(groups), *shape))

    def make_worker() -> Callable[[tuple[int, list[Block]]], None]:
        rounded = _Rounded(files, centre)

        def work(item: tuple[int, list[Block]]) -> None:
            number, group = item
            with np.errstate(over="ignore"):
                for block in group:
                    for start in range(block.start, block.stop, rounded.step):
                        stop = min(start + rounded.step, block.stop)
                        for product in multiply(rounded.read(block.tag, start, stop)):
                            sums[number] += product

        return work

    in_threads(list(enumerate(groups)), threads, make_worker)
    return sums


class _Rounded:
    """Reads the differences of all files from the centre as numbers of 20 bits."""

    def __init__(self, files: Sequence[ParameterFile], centre: ParameterFile | None) -> None:
        self._sections = [file.sections() for file in files]
        self._centre = centre.sections() if centre else None
        count = len(files)
        self._network = Network(count, {(count - 1) // 2, count // 2})
        chunks = max(1, min(_CACHED // count, BLOCK) // _CHUNK)
        self.step = chunks * _CHUNK
        self._scratch = list(np.empty((self._network.scratch, self.step), np.float32))
        self._middle = np.empty(self.step, np.float32)
        self._differences = np.empty((chunks, count, _CHUNK), np.float32)
        self._whole = np.zeros((chunks, count + 1, _CHUNK))

    def read(self, tag: str, start: int, stop: int) -> np.ndarray:
        """Return chunks × (files + 1) × elements, float64; what is beyond `stop` is zero."""
        rows = [self._row(each[tag][start:stop], tag) for each in self._sections]
        if self._centre:
            middle = self._row(self._centre[tag][start:stop], tag)
        else:
            middle = self._median(rows)
        chunks = -(-(stop - start) // _CHUNK)
        differences, whole = self._differences[:chunks], self._whole[:chunks]
        for place, row in enumerate(rows):
            np.subtract(
                row.reshape(-1, _CHUNK), middle.reshape(-1, _CHUNK), out=differences[:, place]
            )
        largest = np.maximum(differences.max(axis=2), -differences.min(axis=2))
        if not largest.max() < _LARGEST:
            np.clip(differences, -_LARGEST, _LARGEST, out=differences)
            np.minimum(largest, np.float32(_LARGEST), out=largest)
        # Adding a number whose last bit is worth the unit, and taking it off again, rounds to it.
        _, exponent = np.frexp(largest)
        shift = np.ldexp(np.float32(1.5), exponent + (23 - _BITS))[:, :, None]
        np.add(differences, shift, out=differences)
        np.subtract(differences, shift, out=differences)
        np.copyto(whole[:, :-1], differences)
        return whole

    def _row(self, numbers: np.ndarray, tag: str) -> np.ndarray:
        floats = in_float32(tag, numbers)
        missing = -len(floats) % _CHUNK
        return np.concatenate([floats, np.zeros(missing, np.float32)]) if missing else floats

    def _median(self, rows: Sequence[np.ndarray]) -> np.ndarray:
        ranks = self._network.run(rows, [space[: len(rows[0])] for space in self._scratch])
        if len(ranks) == 1:
            return ranks[0]
        middle = self._middle[: len(rows[0])]
        np.multiply(ranks[0], np.float32(0.5), out=middle)
        np.multiply(ranks[1], np.float32(0.5), out=ranks[1])
        np.add(middle, ranks[1], out=middle)
        return middle
