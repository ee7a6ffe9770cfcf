"""The pictures of docs/stories.md: runs the stories in Chromium and keeps what people saw.

Each picture is cut below what it is about and has 256 colors, so that it is small.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

from PIL import Image

_ROOT: Final = Path(__file__).resolve().parents[1]
_TAKEN: Final = _ROOT / "build" / "pictures"
_KEPT: Final = _ROOT / "docs" / "pictures"
_LARGEST_BYTES: Final = 150_000
_STORIES: Final = (
    "tests/marketplace/test_browser_onboarding.py",
    "tests/marketplace/test_browser_runs.py",
    "tests/marketplace/test_browser.py",
)
# As the stories name them: as the docs do, and how much of each is kept [px].
_PICTURES: Final = {
    "form-with-errors": ("admin-draft", 720),
    "invited": ("admin-invite", 800),
    "changes": ("admin-changes", 640),
    "active": ("admin-active", 790),
    "token": ("admin-token", 820),
    "begin": ("admin-begin", 820),
    "funded": ("sponsor-pool", 800),
    "decisions": ("admin-decisions", 1_000),
    "history-phone": ("admin-history-phone", 640),
    "admin-admin-light": ("admin-home", 1_000),
    "owner-earnings-light": ("owner-earnings", 1_120),
    "owner-statements-light": ("owner-statement", 1_060),
    "owner-runs-dark": ("owner-run", 1_120),
    "operator-my-nodes-light": ("operator-nodes", 940),
    "operator-token": ("operator-token", 720),
}


def main() -> int:
    told = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-m", "", *_STORIES],
        cwd=_ROOT,
        env=os.environ | {"SWARM_SCREENSHOTS": str(_TAKEN)},
        check=False,
    )
    if told.returncode:
        return told.returncode
    _KEPT.mkdir(exist_ok=True)
    for taken, (name, height) in _PICTURES.items():
        file = _KEPT / f"{name}.png"
        _keep(_TAKEN / f"{taken}.png", file, height)
        print(f"{file.relative_to(_ROOT)}  {file.stat().st_size / 1000:.0f} kB")
    large = [each.name for each in _KEPT.glob("*.png") if each.stat().st_size > _LARGEST_BYTES]
    if large:
        print(f"above {_LARGEST_BYTES // 1000} kB: {', '.join(large)}", file=sys.stderr)
    return 1 if large else 0


def _keep(taken: Path, kept: Path, height: int) -> None:
    with Image.open(taken) as picture:
        whole = picture.convert("RGB")
        cut = whole.crop((0, 0, whole.width, min(height, whole.height)))
        # So that small things keep their colors: the parties' dots.
        method = Image.Quantize.MAXCOVERAGE
        cut.quantize(256, method, dither=Image.Dither.NONE).save(kept, optimize=True)


if __name__ == "__main__":
    sys.exit(main())
