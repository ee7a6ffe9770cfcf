from __future__ import annotations

import re

from tests.callbacks.in_its_own_process import ROOT


def diff_in_readme(module: str) -> tuple[str, str, int]:
    """Return the script before and after, and how many lines are added, of the README's diff."""
    text = (ROOT / "node_agent/callbacks/README.md").read_text()
    [lines] = [
        block.splitlines()
        for block in re.findall(r"```diff\n(.*?)```", text, re.DOTALL)
        if f"callbacks.{module} " in block
    ]
    before, after = (
        "\n".join(line[1:] for line in lines if line[0] in kept) for kept in (" -", " +")
    )
    return before, after, sum(line.startswith("+") for line in lines)
