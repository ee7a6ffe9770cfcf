"""Writes the parameters that a run of one of these programs starts from: the agreement names them.

    DATA_DIR=DIR python -m examples.hpe.initial fraud_detection --out initial.safetensors

Frameworks are imported for the program that is asked for only.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

PROGRAMS = ("fraud_detection", "digits", "text_classification", "transfer_learning")


def write_initial(program: str, data_dir: Path, path: Path) -> None:
    """Build the program's model and write what travels of it."""
    if program in ("fraud_detection", "transfer_learning"):
        from node_agent.callbacks.keras import save_parameters

        save_parameters(_keras_model(program, data_dir), path)
        return
    from node_agent.callbacks.pytorch_model import TorchModel

    torch_model = TorchModel(_torch_model(program))
    torch_model.attach()
    torch_model.write(path, {"format": "swarm-1", "kind": "initial"})
    torch_model.detach()


def _keras_model(program: str, data_dir: Path) -> Any:
    if program == "fraud_detection":
        from examples.hpe import fraud_detection

        return fraud_detection.build_model()
    from examples.hpe import transfer_learning

    return transfer_learning.build_model(data_dir / "trunk.npz")


def _torch_model(program: str) -> Any:
    if program == "digits":
        from examples.hpe import digits

        return digits.build_model()
    from examples.hpe import text_classification

    return text_classification.build_model("full")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m examples.hpe.initial")
    parser.add_argument("program", choices=PROGRAMS)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args(arguments)
    write_initial(given.program, Path(os.environ.get("DATA_DIR", ".")), given.out)


if __name__ == "__main__":
    main()
