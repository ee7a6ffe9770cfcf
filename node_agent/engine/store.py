"""The node's parameter files, one folder a round, each named by its BLAKE3 root."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from blake3 import blake3

from node_agent.engine.archive import Archive, write_rosters
from node_agent.peers.protocol import Envelope

_KEEP_ROUNDS = 3  # a site that was away asks for the last merged model, not for older ones


def file_root(path: Path) -> bytes:
    """BLAKE3 of a file, mapped rather than read."""
    hasher = blake3(max_threads=blake3.AUTO)
    hasher.update_mmap(path)
    return hasher.digest()


class Store:
    """Files of the recent rounds under ``folder``; older ones go to the archive."""

    def __init__(self, folder: Path, archive: Archive) -> None:
        self._folder, self._archive = folder, archive
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def sweep(self) -> None:
        """Delete what a power cut has torn: files that are not what their name says.

        Others stay: a training process that outlived the agent may be writing one.
        """
        for path in self._folder.glob(f"round-*/{'?' * 64}.safetensors"):
            if path.stem != file_root(path).hex():
                path.unlink()

    def round_folder(self, round_number: int) -> Path:
        """Where a round's files lie; made when missing."""
        folder = self._folder / f"round-{round_number:06d}"
        folder.mkdir(mode=0o700, exist_ok=True)
        return folder

    def path(self, round_number: int, root: bytes) -> Path:
        """Where the file with this root lies, or would lie."""
        return self.round_folder(round_number) / f"{root.hex()}.safetensors"

    def scratch(self, round_number: int, name: str) -> Path:
        """A file of this round that is not named by its root yet."""
        return self.round_folder(round_number) / f"{name}.safetensors"

    def adopt(self, scratch: Path, round_number: int, root: bytes) -> Path:
        """Give a finished file its name."""
        path = self.path(round_number, root)
        scratch.replace(path)
        return path

    def find(self, root: bytes) -> Path | None:
        """The file with this root, in whichever recent round."""
        return next(self._folder.glob(f"round-*/{root.hex()}.safetensors"), None)

    def note_rosters(self, round_number: int, rosters: Sequence[Envelope]) -> None:
        """Keep the signed rosters of a round beside its files, for whoever audits it."""
        if rosters:
            write_rosters(self.round_folder(round_number), rosters)

    def archive_before(self, round_number: int, kept: Iterable[bytes] = ()) -> None:
        """Put aside what no other site can need any more to go on, but for the roots in ``kept``.

        While nothing can be merged, one and the same model stays the base of round after round.
        """
        oldest = f"round-{max(0, round_number - _KEEP_ROUNDS):06d}"
        for root in kept:
            path = self.find(root)
            if path is not None and path.parent.name < oldest:
                self.adopt(path, round_number, root)
        for folder in sorted(self._folder.glob("round-*")):
            if folder.name < oldest:
                self._archive.take(folder)
