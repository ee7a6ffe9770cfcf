"""Sorting networks: the k-th smallest of n arrays, elementwise, by minimum and maximum only.

No comparison decides what is computed next, so vector instructions do all of it, and minimum and
maximum round nothing. Batcher's odd-even merge sort (Knuth, The Art of Computer Programming 3,
algorithm 5.2.2 M), without what the wanted ranks do not depend on.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

import numpy as np


class Network:
    """Sorts `count` arrays and returns those of the `wanted` ranks, 0 being the smallest."""

    def __init__(self, count: int, wanted: Collection[int]) -> None:
        self.wanted = sorted(wanted)
        holds = list(range(count))  # the register of each wire: first the inputs, then scratch
        free: list[int] = []
        self._registers = count
        self._steps: list[tuple[np.ufunc, int, int, int]] = []

        def fresh() -> int:
            if free:
                return free.pop()
            self._registers += 1
            return self._registers - 1

        for low, high, low_wanted, high_wanted in _pruned(count, self.wanted):
            a, b = holds[low], holds[high]
            if low_wanted:
                holds[low] = fresh()
                self._steps.append((np.minimum, a, b, holds[low]))
            if high_wanted:
                holds[high] = b if b >= count else fresh()  # inputs are never overwritten
                self._steps.append((np.maximum, a, b, holds[high]))
            free += {a, b}.difference(range(count), (holds[low], holds[high]))
        self._results = [holds[rank] for rank in self.wanted]
        self.scratch = self._registers - count

    def run(self, inputs: Sequence[np.ndarray], scratch: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Return the wanted ranks, each an input or one of `self.scratch` arrays of `scratch`.

        All have one shape and dtype and hold no NaN. Whether a zero comes out as +0 or −0 is left
        open for floats: add 0.0.
        """
        registers = [*inputs, *scratch]
        for ufunc, a, b, out in self._steps:
            ufunc(registers[a], registers[b], out=registers[out])
        return [registers[place] for place in self._results]


def _pruned(count: int, wanted: Collection[int]) -> list[tuple[int, int, bool, bool]]:
    needed, kept = set(wanted), []
    for low, high in reversed(list(_comparators(count))):
        if low in needed or high in needed:
            kept.append((low, high, low in needed, high in needed))
            needed |= {low, high}
    return kept[::-1]


def _comparators(count: int) -> Iterator[tuple[int, int]]:
    top = 1 << max(count - 1, 0).bit_length() >> 1
    p = top
    while p:
        q, r, distance = top, 0, p
        while True:
            for wire in range(count - distance):
                if wire & p == r:
                    yield wire, wire + distance
            if q == p:
                break
            distance, q, r = q - p, q >> 1, p
        p >>= 1
