"""The models that a node has kept, one folder each: `model.safetensors`, `card.json`, `README.md`.

The file is the merged one, byte for byte, so that its hash is the one on chain. A folder appears
whole or not at all.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from node_agent.engine.store import file_root
from node_agent.errors import ConfigError, ParameterError
from node_agent.models.card import Card
from node_agent.parameters.format import ParameterFile, Written, write
from node_agent.parameters.schema import Schema

MODEL, CARD, README = "model.safetensors", "card.json", "README.md"
FRAMEWORKS = ("pt", "tf", "np", "flax", "mlx")  # what other tools look for in a file's "format"


@dataclass(frozen=True, slots=True)
class Kept:
    """One model of the library."""

    name: str
    folder: Path
    card: Card

    @property
    def path(self) -> Path:
        return self.folder / MODEL

    def open(self) -> ParameterFile:
        """Map the model, and hold it to the hash that the chain has.

        Raises:
            ParameterError: the file is damaged, or not the one of its card.
        """
        root = "0x" + file_root(self.path).hex()
        if root != self.card.merged_root:
            raise ParameterError(
                f"{self.path} is {root}, but its run ended with {self.card.merged_root}",
                hint="it was changed after training; get it from another site, or another backup",
            )
        return ParameterFile.open(self.path)


class Library:
    """All kept models under `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, card: Card, merged: Path) -> Kept:
        """Take a model in; one that is here already stays as it is."""
        name = f"{_plain(card.name)}-{card.generation}-{card.run[2:10]}"
        folder = self._folder / name
        if not folder.exists():
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            scratch = Path(tempfile.mkdtemp(prefix=".keeping-", dir=self._folder))
            try:
                _link_or_copy(merged, scratch / MODEL)
                (scratch / CARD).write_text(card.to_json(), encoding="utf-8")
                (scratch / README).write_text(card.to_markdown(), encoding="utf-8")
                scratch.rename(folder)
            except BaseException:
                shutil.rmtree(scratch, ignore_errors=True)
                raise
        return Kept(name, folder, card)

    def all(self) -> list[Kept]:
        """Every kept model, the newest first."""
        found = [self._read(path.parent) for path in self._folder.glob(f"[!.]*/{CARD}")]
        return sorted(found, key=lambda kept: -kept.card.finished_at_s)

    def find(self, name: str) -> Kept:
        """A model by its name here, by its run's name (the newest), or by the run's id.

        Raises:
            ConfigError: there is none, with the names of those that there are.
        """
        kept = self.all()
        for each in kept:
            if name in (each.name, each.card.name, each.card.run):
                return each
        names = ", ".join(each.name for each in kept) or "none: no run has finished here yet"
        raise ConfigError(f"no model {name!r} is kept here", hint=f"there are {names}")

    def remove(self, name: str) -> Kept:
        """Delete a model. Raises ConfigError when there is none."""
        kept = self.find(name)
        shutil.rmtree(kept.folder)
        return kept

    @staticmethod
    def _read(folder: Path) -> Kept:
        return Kept(folder.name, folder, Card.from_json((folder / CARD).read_text("utf-8")))


def export(kept: Kept, out: Path, framework: str) -> Written:
    """Write a model as a plain safetensors file that other tools open, without our headers.

    Args:
        kept: which.
        out: the file.
        framework: what is put into the file's `format`, one of `FRAMEWORKS`: transformers, for
            example, refuses files without "pt".

    Raises:
        ParameterError: the kept file is damaged.
    """
    file = kept.open()
    bfloat16 = [name for name, spec in file.schema.items() if spec.dtype == "BF16"]
    metadata = {"format": framework, "run": kept.card.run, "merged_root": kept.card.merged_root}
    return write(out, file.tensors(), metadata, bfloat16=bfloat16)


def count(schema: Schema) -> tuple[int, int]:
    """Tensors and numbers of a model."""
    return len(schema), sum(spec.elements for spec in schema.values())


def _plain(name: str) -> str:
    """A name as a folder may have it."""
    kept = "".join(each if each.isalnum() or each in "._-" else "-" for each in name)
    return kept.lstrip(".") or "model"


def _link_or_copy(source: Path, target: Path) -> None:
    try:
        os.link(source, target)  # both are never written to again
    except OSError:
        shutil.copyfile(source, target)
