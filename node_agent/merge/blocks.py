"""Runs a merge rule over parameter files, block by block, in several threads.

A block is cut from the sections of the files at a place that depends on nothing but the schema,
and is computed and written by one thread. So neither the number of threads nor their order can be
seen in the result, and memory holds a few blocks, whatever the size of the model.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from blake3 import blake3

from node_agent.errors import ParameterError
from node_agent.parameters import header
from node_agent.parameters.dtypes import DTYPES
from node_agent.parameters.format import ParameterFile, Written, replacing, section_places
from node_agent.parameters.schema import Schema

BLOCK = 1 << 18  # elements: two float64 blocks stay in cache, and Python's share is small

Kernel = Callable[[str, Sequence[np.ndarray]], np.ndarray]
"""Merges one block: a dtype tag, and one array of each file (1-d, storage dtype, equal lengths),
to one such array. Elementwise: element k of the result depends on the elements k alone."""


class _Block(NamedTuple):
    tag: str
    start: int  # element of the section
    stop: int
    place: int  # byte of the file


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
    schema = _common_schema(files)
    head = header.encode(schema, metadata)
    blocks = _cut(schema, len(head))
    sections = [file.sections() for file in files]

    with replacing(out_path) as out:
        descriptor = out.fileno()
        os.write(descriptor, head)

        def work(mine: Iterable[_Block]) -> None:
            kernel = make_kernel()
            for tag, start, stop, place in mine:
                merged = kernel(tag, [section[tag][start:stop] for section in sections])
                _write_all(descriptor, merged.view(np.uint8).data, place)

        with ThreadPoolExecutor(threads, "merge") as pool:
            list(pool.map(work, [blocks[first::threads] for first in range(threads)]))
        return _written(descriptor, threads)


def _common_schema(files: Sequence[ParameterFile]) -> Schema:
    if not files:
        raise ParameterError("there is nothing to merge")
    for file in files[1:]:
        difference = files[0].schema.difference(file.schema)
        if difference is not None:
            raise ParameterError(f"{file.path.name} cannot be merged: {difference}")
    return files[0].schema


def _cut(schema: Schema, data_start: int) -> list[_Block]:
    blocks = []
    for tag, (begin, end) in section_places(schema).items():
        item_size = DTYPES[tag].item_size
        count = (end - begin) // item_size
        for start in range(0, count, BLOCK):
            place = data_start + begin + start * item_size
            blocks.append(_Block(tag, start, min(start + BLOCK, count), place))
    return blocks


def _written(descriptor: int, threads: int) -> Written:
    with mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ) as mapped:
        return Written(blake3(mapped, max_threads=threads).digest(), len(mapped))


def _write_all(descriptor: int, data: memoryview, place: int) -> None:
    while data:
        written = os.pwrite(descriptor, data, place)
        data, place = data[written:], place + written
