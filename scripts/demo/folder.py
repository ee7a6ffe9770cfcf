"""The demo's folder: everything it makes lies in there, and nothing else is touched."""

from __future__ import annotations

import fcntl
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from scripts.demo.errors import DemoError

_MARK = ".swarm-demo"
_LONGEST_SOCKET = 100  # bytes of a path: the kernel takes no more for Unix sockets


@contextmanager
def emptied(folder: Path) -> Iterator[None]:
    """Empties the folder of the last demo, or makes it; nobody else may use it meanwhile.

    Raises DemoError: another demo runs in it, or it holds what no demo has made.
    """
    folder.mkdir(parents=True, exist_ok=True)
    mark = folder / _MARK
    if not mark.exists() and any(folder.iterdir()):
        raise DemoError(f"{folder} is not the folder of a demo", hint="name another with --folder")
    with mark.open("w") as guard:
        try:
            fcntl.flock(guard, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise DemoError(
                f"another demo runs in {folder}", hint="stop it, or name another with --folder"
            ) from None
        for entry in folder.iterdir():
            if entry.is_dir():
                shutil.rmtree(entry)
            elif entry != mark:
                entry.unlink()
        yield


@contextmanager
def sockets_of(folders: dict[str, Path]) -> Iterator[dict[str, Path]]:
    """Where each agent listens: in its folder, or somewhere short if that path is too long."""
    sockets = {key: folder / "agent.sock" for key, folder in folders.items()}
    if max(len(str(socket).encode()) for socket in sockets.values()) <= _LONGEST_SOCKET:
        yield sockets
        return
    with tempfile.TemporaryDirectory(prefix="swarm-") as short:
        yield {key: Path(short) / key / "agent.sock" for key in folders}
