"""Arrays from files and into files: .npy, .npz and .csv. No pickle, whatever a file says."""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

import numpy as np

from node_agent.callbacks.errors import CallbackError
from node_agent.callbacks.inference import TARGETS, Inputs

_HINT = "give a .npy, a .npz or a .csv of numbers"


def read(path: Path) -> Inputs:
    """What to predict from: rows of a .csv or .npy, or the named arrays of a .npz.

    Raises:
        CallbackError: there is no such file, or it holds something else.
    """
    try:
        if path.suffix == ".csv":
            return {"": _csv(path)}
        if path.suffix == ".npy":
            return {"": np.load(path, allow_pickle=False)}
        if path.suffix == ".npz":
            with np.load(path, allow_pickle=False) as arrays:
                named = {name: arrays[name] for name in arrays.files if name != TARGETS}
            return {"": named["inputs"]} if named.keys() == {"inputs"} else named
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise CallbackError(f"cannot read {path}: {error}", hint=_HINT) from error
    raise CallbackError(f"{path} has no form that is known here", hint=_HINT)


def _csv(path: Path) -> np.ndarray:
    with path.open(encoding="utf-8") as lines:
        first = lines.readline().split(",")
    try:
        [float(cell) for cell in first]
        header = 0
    except ValueError:
        header = 1  # names of columns
    return np.loadtxt(path, np.float32, delimiter=",", skiprows=header, ndmin=2, encoding="utf-8")


def write(answers: np.ndarray, out: Path | None) -> None:
    """Write predictions to a .npy or .csv, or as .csv to stdout.

    Raises:
        CallbackError: another form, or the file cannot be written.
    """
    try:
        if out is not None and out.suffix == ".npy":
            np.save(out, answers, allow_pickle=False)
            return
        if out is not None and out.suffix != ".csv":
            raise CallbackError(f"{out} has no form that is known here", hint="give .npy or .csv")
        rows = answers.reshape(len(answers), -1)
        form = "%d" if np.issubdtype(rows.dtype, np.integer) else "%.9g"
        np.savetxt(sys.stdout if out is None else out, rows, form, delimiter=",")
    except OSError as error:
        raise CallbackError(f"cannot write {out}: {error.strerror}") from error
