"""Server optimizers: the merged model as a step of momentum, Adagrad, Adam or Yogi.

With base W, weighted mean of the updates M, pseudo-gradient Δ = M − W, per element in float64:

    momentum   m' = β₁·m + Δ                                          W' = W + η·m'
    adaptive   m' = β₁·m + (1 − β₁)·Δ                                 W' = W + η·m' / (√v' + τ)
               v' = v + Δ²                            (Adagrad)
               v' = β₂·v + (1 − β₂)·Δ²                (Adam)
               v' = v − (1 − β₂)·Δ²·sign(v − Δ²)      (Yogi)

from m = 0, v = τ². η is the rule's parameter; β₁ = 0.9 (Adagrad: 0), β₂ = 0.99, τ = 0.001.
Sources: Hsu, Qi & Brown, Measuring the effects of non-identical data distribution, 2019
(momentum); Reddi et al., Adaptive federated optimization, ICLR 2021, algorithm 2.

The state is a parameter file of its own: `m` and, if adaptive, `v`, flat float32 arrays over all
float elements in file order. The merged file's header names its root under `state`, so whoever
knows the sealed root of the merged model knows the state's too, and can fetch it from any peer.
W' is computed from m' and v' as they are in that file. Integers and bools are merged by their mean.
Nothing here resists a hostile update.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from node_agent.merge.blocks import (
    BLOCK,
    Block,
    Kernel,
    Output,
    cut_floats,
    in_threads,
    merge_blockwise,
    write_file,
)
from node_agent.merge.mean import MeanKernel
from node_agent.parameters.convert import bfloat16_to_float32, narrow, widen
from node_agent.parameters.dtypes import DTYPES, FLOATS
from node_agent.parameters.format import ParameterFile, Written, section_places
from node_agent.parameters.schema import Schema, TensorSpec

_BETA_2 = 0.99
_TAU = 1e-3
_LARGEST = {
    "F32": float(np.finfo(np.float32).max),
    "F16": float(np.finfo(np.float16).max),
    "BF16": float(bfloat16_to_float32(np.array([0x7F7F], np.uint16))[0]),
}


@dataclass(frozen=True, slots=True)
class Optimizer:
    """β₁, and how v' comes of (v, Δ²); None for plain momentum."""

    beta_1: float
    second: Callable[[np.ndarray, np.ndarray], np.ndarray] | None

    def state_schema(self, schema: Schema) -> Schema:
        """Return the schema of the state of models of `schema`."""
        count = sum(spec.elements for spec in schema.floats().values())
        names = ("m", "v") if self.second else ("m",)
        return Schema({name: TensorSpec("F32", (count,)) for name in names})

    def next_state(
        self,
        files: Sequence[ParameterFile],
        ratio: Sequence[int],
        base: ParameterFile,
        state: ParameterFile | None,
        out_path: Path,
        metadata: Mapping[str, str],
        threads: int,
    ) -> Written:
        """Write m' and v'."""
        updates, start = [file.sections() for file in files], base.sections()
        before = state.tensors() if state else {}
        schema = self.state_schema(base.schema)
        first, count = _first_elements(base.schema), schema["m"].elements

        def fill(out: Output) -> None:
            def make_worker() -> Callable[[Block], None]:
                mean, space = MeanKernel(ratio), np.empty((3, BLOCK))

                def work(block: Block) -> None:
                    tag, begin, end, _ = block
                    delta = mean.in_float64(tag, [each[tag][begin:end] for each in updates])
                    base_numbers, m, v = space[:, : end - begin]
                    widen(tag, start[tag][begin:end], base_numbers)
                    np.subtract(delta, base_numbers, out=delta)
                    at = slice(first[tag] + begin, first[tag] + end)
                    np.copyto(m, before["m"][at] if before else 0.0)
                    np.multiply(m, self.beta_1, out=m)
                    gain = 1.0 - self.beta_1 if self.second else 1.0
                    out.write(_float32(m + gain * delta), 4 * at.start)
                    if self.second:
                        np.copyto(v, before["v"][at] if before else _TAU * _TAU)
                        out.write(_float32(self.second(v, delta * delta)), 4 * (count + at.start))

                return work

            in_threads(cut_floats(base.schema), threads, make_worker)

        return write_file(out_path, schema, metadata, fill, threads)

    def step(
        self,
        files: Sequence[ParameterFile],
        ratio: Sequence[int],
        base: ParameterFile,
        state: ParameterFile,
        rate: float,
        out_path: Path,
        metadata: Mapping[str, str],
        threads: int,
    ) -> Written:
        """Write W' from the base and the state that `next_state` wrote."""
        tensors, first = state.tensors(), _first_elements(base.schema)

        def make_kernel() -> Kernel:
            mean, space = MeanKernel([*ratio, 0]), np.empty((2, BLOCK))

            def moved(block: Block, inputs: Sequence[np.ndarray]) -> np.ndarray:
                tag, begin, end, _ = block
                if tag not in FLOATS:
                    return mean(block, inputs)
                at = slice(first[tag] + begin, first[tag] + end)
                merged, move = space[:, : end - begin]
                np.multiply(tensors["m"][at], rate, out=move, dtype=np.float64)
                if self.second:
                    np.divide(move, np.sqrt(tensors["v"][at], dtype=np.float64) + _TAU, out=move)
                widen(tag, inputs[-1], merged)
                np.add(merged, move, out=merged)
                return narrow(tag, np.clip(merged, -_LARGEST[tag], _LARGEST[tag], out=merged))

            return moved

        return merge_blockwise([*files, base], out_path, metadata, make_kernel, threads=threads)


def _adagrad(v: np.ndarray, square: np.ndarray) -> np.ndarray:
    total: np.ndarray = v + square
    return total


def _adam(v: np.ndarray, square: np.ndarray) -> np.ndarray:
    average: np.ndarray = v * _BETA_2 + square * (1.0 - _BETA_2)
    return average


def _yogi(v: np.ndarray, square: np.ndarray) -> np.ndarray:
    moved: np.ndarray = v - square * np.sign(v - square) * (1.0 - _BETA_2)
    return moved


MOMENTUM = Optimizer(0.9, None)
ADAGRAD = Optimizer(0.0, _adagrad)
ADAM = Optimizer(0.9, _adam)
YOGI = Optimizer(0.9, _yogi)


def _first_elements(schema: Schema) -> dict[str, int]:
    """Float tag to the place of its first element in the state's arrays."""
    first, count = {}, 0
    for tag, (begin, end) in section_places(schema).items():
        if tag in FLOATS:
            first[tag] = count
            count += (end - begin) // DTYPES[tag].item_size
    return first


def _float32(values: np.ndarray) -> np.ndarray:
    largest = _LARGEST["F32"]
    within: np.ndarray = np.clip(values, -largest, largest)
    return within.astype(np.float32)
