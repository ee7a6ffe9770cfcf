"""Runs the demo; see `settings` for what may be chosen. Exits with 1 when something failed."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from contextlib import suppress

from rich.console import Console

from scripts.demo.errors import DemoError
from scripts.demo.settings import Settings, parse
from scripts.demo.view import View

INTERRUPTED = 130
_LOG_WIDTH = 110


async def run(settings: Settings, view: View) -> None:
    """Plays the demo and writes its figures."""
    # Stopped by a signal as by Ctrl-C: in good order.
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    from scripts.demo.demo import demo

    async with demo(settings, view) as stage:
        figures = await stage.play()
        settings.figures.parent.mkdir(parents=True, exist_ok=True)
        settings.figures.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
        view.console.print(f"\nfigures: {settings.figures}", soft_wrap=True)
        if settings.keep:
            view.console.print(
                f"still running: {figures['dashboard']}\nwallets and logs: {settings.folder}\n"
                "Ctrl-C ends it",
                soft_wrap=True,
            )
            with suppress(asyncio.CancelledError):
                await asyncio.Event().wait()


def main() -> int:
    settings = parse()
    # Logs have no width of their own; the tables' lines must not be broken in them.
    console = Console(highlight=False, width=None if sys.stdout.isatty() else _LOG_WIDTH)
    view = View(console, settings.rounds)
    try:
        asyncio.run(run(settings, view))
    except (KeyboardInterrupt, asyncio.CancelledError):
        print("stopped", file=sys.stderr)
        return INTERRUPTED
    except BaseExceptionGroup as group:
        return _failed(_first(group), settings)
    except Exception as error:
        return _failed(error, settings)
    return 0


def _failed(error: BaseException, settings: Settings) -> int:
    if isinstance(error, DemoError):
        print(error.told(), file=sys.stderr)
    elif hasattr(error, "hint"):  # all errors that are raised on purpose have one
        print(f"error: {error}\nhint: {error.hint}", file=sys.stderr)
    else:
        raise error
    if settings.logs.exists():
        print(f"all logs: {settings.logs}", file=sys.stderr)
    return 1


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """What failed first: the rest failed because of it."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


if __name__ == "__main__":
    sys.exit(main())
