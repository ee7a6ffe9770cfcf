"""`swarm-node models …`, `predict` and `serve`: what is left when training is over."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from node_agent import health
from node_agent.commands.options import ConfigOption, JsonOption

if TYPE_CHECKING:
    from node_agent.models.library import Kept, Library

ModelArgument = Annotated[str, typer.Argument(help="As `models list` shows it, or a run's name.")]
ProgramOption = Annotated[
    str, typer.Option(help="What builds the model, module:function, like train:build.")
]

models = typer.Typer(
    help="Models of finished runs, kept in the agent's folder.",
    no_args_is_help=True,
    epilog="Example: swarm-node models export breast-cancer --out model.safetensors",
)


class Framework(StrEnum):
    """What a file says it is for; the tensors are the same."""

    PT = "pt"
    TF = "tf"
    NP = "np"
    FLAX = "flax"
    MLX = "mlx"


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.add_typer(models, name="models")
    app.command(
        epilog="Example: swarm-node predict breast-cancer --program train:build --input cases.csv"
    )(predict)
    app.command(
        epilog="Example: swarm-node serve breast-cancer --program train:build "
        "--listen 127.0.0.1:8600"
    )(serve)


@models.command("list", epilog="Example: swarm-node models list --json")
def list_models(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """List the kept models, the newest first."""
    kept = _library(config).all()
    if as_json:
        print(json.dumps([{"name": each.name, **asdict(each.card)} for each in kept], indent=2))
        return
    if not kept:
        print("no model is kept yet: one is when a run finishes here", file=sys.stderr)
    for each in kept:
        card = each.card
        when = datetime.fromtimestamp(card.finished_at_s).astimezone()
        loss = card.best_loss if card.last_loss is None else card.last_loss
        print(
            f"{each.name:<40} {when:%Y-%m-%d %H:%M}  {card.rounds:>5} rounds  "
            f"loss {loss:.6g}  {card.size_bytes / 1e6:.3f} MB"
        )


@models.command("show", epilog="Example: swarm-node models show breast-cancer")
def show(model: ModelArgument, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Print a model's card, after checking the file against the hash on the card."""
    kept = _library(config).find(model)
    kept.open()
    print(kept.card.to_json() if as_json else kept.card.to_markdown(), end="")
    print(f"file: {kept.path}", file=sys.stderr)


@models.command("export", epilog="Example: swarm-node models export tumors --out m.safetensors")
def export(
    model: ModelArgument,
    out: Annotated[Path, typer.Option(help="The file to write.")],
    framework: Annotated[Framework, typer.Option(help="Who will read it.")] = Framework.PT,
    config: ConfigOption = None,
) -> None:
    """Write a model as a plain safetensors file, for other tools."""
    from node_agent.models.library import export as write

    written = write(_library(config).find(model), out, framework)
    print(out)
    print(f"{written.size} bytes, BLAKE3 0x{written.root.hex()}", file=sys.stderr)


@models.command("remove", epilog="Example: swarm-node models remove tumors-1-0a1b2c3d --yes")
def remove(
    model: ModelArgument,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    config: ConfigOption = None,
) -> None:
    """Delete a kept model."""
    library = _library(config)
    kept = library.find(model)
    if not yes:
        typer.confirm(f"delete {kept.folder}?", abort=True, err=True)
    library.remove(kept.name)
    print(kept.name)


def predict(
    model: ModelArgument,
    program: ProgramOption,
    data: Annotated[Path, typer.Option("--input", help="A .csv, .npy or .npz.")],
    output: Annotated[
        Path | None, typer.Option(help="A .csv or .npy. Default: CSV on stdout.")
    ] = None,
    config: ConfigOption = None,
) -> None:
    """Predict with a kept model, in a process of its own."""
    kept = _checked(model, config)
    options = ["--input", str(data)] + (["--output", str(output)] if output else [])
    _become("predict", kept, program, options, config)


def serve(
    model: ModelArgument,
    program: ProgramOption,
    listen: Annotated[
        str, typer.Option(help="Address and port; plain HTTP, so keep it inside.")
    ] = "127.0.0.1:8600",
    config: ConfigOption = None,
) -> None:
    """Answer predictions over HTTP, at the edge: POST /predict {"inputs": [[…], …]}."""
    from node_agent.operations.listen import address

    host, port = address(listen)
    kept = _checked(model, config)
    card = str(kept.folder / "card.json")
    options = ["--card", card, "--host", host, "--port", str(port)]
    _become("serve", kept, program, options, config)


def _checked(model: str, config: Path | None) -> Kept:
    kept = _library(config).find(model)
    kept.open()
    return kept


def _become(do: str, kept: Kept, program: str, options: list[str], config: Path | None) -> NoReturn:
    """Only a process of its own imports the framework."""
    from node_agent.exec import run_program

    module = [sys.executable, "-m", "node_agent.callbacks.inference", do]
    run_program([*module, "--file", str(kept.path), "--program", program, *options], config)


def _library(config: Path | None) -> Library:
    from node_agent.models.library import Library
    from node_agent.operations.storage import MODELS

    return Library(health.folder_path(config).resolve() / MODELS)
