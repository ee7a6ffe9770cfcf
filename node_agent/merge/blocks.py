"""Computes files block by block, in several threads.

A block is cut from the sections of the files at a place that depends on nothing but the schema,
and is computed and written by one thread. So neither the number of threads nor their order can be
seen in the result, and memory holds a few blocks, whatever the size of the model.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, TypeVar

import numpy as np
from blake3 import blake3

from node_agent.errors import ParameterError
from node_agent.parameters import header
from node_agent.parameters.dtypes import DTYPES, FLOATS
from node_agent.parameters.format import ParameterFile, Written, replacing, section_places
from node_agent.parameters.schema import Schema

BLOCK = 1 << 18  # elements: two float64 blocks stay in cache, and Python's share is small

T = TypeVar("T")


class Block(NamedTuple):
    """Elements [start, stop) of a section; `place` is its first byte, counted in the data."""

    tag: str
    start: int
    stop: int
    place: int


Kernel = Callable[[Block, Sequence[np.ndarray]], np.ndarray]
"""Merges one block: where it is, and one array of each file (1-d, storage dtype, equal lengths),
to one such array. Elementwise: element k of the result depends on the elements k alone."""


class Output:
    """A parameter file in the making: its header is written, blocks may come in any order."""

    def __init__(self, descriptor: int, data_start: int) -> None:
        self._descriptor, self._data_start = descriptor, data_start

    def write(self, numbers: np.ndarray, place: int) -> None:
        """Write numbers (1-d, storage dtype) at byte `place` of the data."""
        data, place = numbers.view(np.uint8).data, self._data_start + place
        while data:
            written = os.pwrite(self._descriptor, data, place)
            data, place = data[written:], place + written


def merge_blockwise(
    files: Sequence[ParameterFile],
    out_path: str | os.PathLike[str],
    metadata: Mapping[str, str],
    make_kernel: Callable[[], Kernel],
    *,
    threads: int = 2,
) -> Written:
    """Write the parameter file that the kernel makes of `files`.

    Args:
        files: at least one, all of one schema.
        out_path: appears once complete.
        metadata: of the new file.
        make_kernel: called once a thread, so that a kernel may own scratch memory.
        threads: how many blocks are computed at a time.

    Raises:
        ParameterError: no files, or schemas that differ.
    """
    schema = common_schema(files)
    sections = [file.sections() for file in files]

    def fill(out: Output) -> None:
        def make_worker() -> Callable[[Block], None]:
            kernel = make_kernel()

            def work(block: Block) -> None:
                tag, start, stop, place = block
                out.write(kernel(block, [each[tag][start:stop] for each in sections]), place)

            return work

        in_threads(cut(schema), threads, make_worker)

    return write_file(out_path, schema, metadata, fill, threads)


def write_file(
    out_path: str | os.PathLike[str],
    schema: Schema,
    metadata: Mapping[str, str],
    fill: Callable[[Output], None],
    threads: int,
) -> Written:
    """Write a parameter file whose data `fill` writes; it appears once complete."""
    head = header.encode(schema, metadata)
    with replacing(out_path) as out:
        descriptor = out.fileno()
        os.write(descriptor, head)
        fill(Output(descriptor, len(head)))
        with mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ) as mapped:
            return Written(blake3(mapped, max_threads=threads).digest(), len(mapped))


def in_threads(
    items: Sequence[T], threads: int, make_worker: Callable[[], Callable[[T], None]]
) -> None:
    """Call a worker on every item; each thread makes one of its own."""

    def work(first: int) -> None:
        worker = make_worker()
        for item in items[first::threads]:
            worker(item)

    with ThreadPoolExecutor(threads, "merge") as pool:
        list(pool.map(work, range(threads)))


def common_schema(files: Sequence[ParameterFile]) -> Schema:
    """Return the schema that all files have, or raise ParameterError."""
    if not files:
        raise ParameterError("there is nothing to merge")
    for file in files[1:]:
        difference = files[0].schema.difference(file.schema)
        if difference is not None:
            raise ParameterError(f"{file.path.name} cannot be merged: {difference}")
    return files[0].schema


def cut(schema: Schema) -> list[Block]:
    """Cut all sections into blocks of at most `BLOCK` elements, in file order."""
    blocks = []
    for tag, (begin, end) in section_places(schema).items():
        item_size = DTYPES[tag].item_size
        count = (end - begin) // item_size
        for start in range(0, count, BLOCK):
            stop = min(start + BLOCK, count)
            blocks.append(Block(tag, start, stop, begin + start * item_size))
    return blocks


def cut_floats(schema: Schema) -> list[Block]:
    """Cut the float sections only."""
    return [block for block in cut(schema) if block.tag in FLOATS]
