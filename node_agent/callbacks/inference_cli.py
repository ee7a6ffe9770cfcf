"""The command line of `inference`, which `swarm-node predict` and `swarm-node serve` call."""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import signal
import sys
from pathlib import Path

from aiohttp import web

from node_agent.callbacks import inference, inference_files
from node_agent.callbacks.errors import CallbackError
from node_agent.errors import NodeError
from node_agent.parameters.format import ParameterFile

_NOT_DONE = 9  # as a training process that breaks off: see `node_agent.errors`


def run(arguments: list[str]) -> int:
    """Predict once, or serve until told to stop; returns the exit code."""
    options = _parser().parse_args(arguments)
    try:
        predict = inference.load(options.program, ParameterFile.open(options.file))
        if options.do == "predict":
            inference_files.write(predict(inference_files.read(options.input)), options.output)
        else:
            asyncio.run(_serve(predict, options))
    except (CallbackError, NodeError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        if hint := getattr(error, "hint", ""):
            print(f"hint: {hint}", file=sys.stderr)
        return _NOT_DONE
    return 0


async def _serve(predict: inference.Predict, options: argparse.Namespace) -> None:
    from node_agent.callbacks.inference_server import Server

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)-7s %(message)s")
    card = json.loads(options.card.read_text(encoding="utf-8"))
    runner = web.AppRunner(Server(predict, card).app)
    await runner.setup()
    try:
        await web.TCPSite(runner, options.host, options.port).start()
        host, port = runner.addresses[0][:2]
        print(f"http://{host}:{port}/predict", flush=True)
        told = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, told.set)
        await told.wait()
    finally:
        await runner.cleanup()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m node_agent.callbacks.inference")
    kinds = parser.add_subparsers(dest="do", required=True)
    for name in ("predict", "serve"):
        kind = kinds.add_parser(name)
        kind.add_argument("--file", type=Path, required=True)
        kind.add_argument("--program", required=True)
        if name == "predict":
            kind.add_argument("--input", type=Path, required=True)
            kind.add_argument("--output", type=Path)
        else:
            kind.add_argument("--card", type=Path, required=True)
            kind.add_argument("--host", required=True)
            kind.add_argument("--port", type=int, required=True)
    return parser
