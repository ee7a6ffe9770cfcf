"""README's commands, in the order in which it gives them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

README = Path(__file__).parents[2] / "README.md"
_BLOCK = re.compile(r"<!-- run on: (?P<hosts>[a-z -]+) -->\n```sh\n(?P<script>.*?)```", re.DOTALL)
_OPEN = re.compile(r"^(?P<name>[A-Z_]+)=0x…$", re.MULTILINE)
_TUNNEL = re.compile(r"^ssh -N -L (\d+):127\.0\.0\.1:(\d+) (\S+) &$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Block:
    """Commands for one or several hosts."""

    hosts: tuple[str, ...]
    script: str

    def filled(self, values: Mapping[str, str], tunnel: str) -> str:
        """The script, with what a reader fills in.

        Args:
            values: what people tell each other: addresses, ids.
            tunnel: the command that stands for SSH, of which there is none here; ends up as
                `TUNNEL LOCAL-PORT REMOTE-PORT HOST &`.
        """
        script = _OPEN.sub(lambda found: f"{found['name']}={values[found['name']]}", self.script)
        return _TUNNEL.sub(rf"{tunnel} \1 \2 \3 &", script)


def blocks() -> list[Block]:
    """All blocks that are marked to be run on hosts."""
    text = README.read_text(encoding="utf-8")
    return [
        Block(tuple(found["hosts"].split()), found["script"]) for found in _BLOCK.finditer(text)
    ]
