"""What forms bring back, and where one goes from there."""

from __future__ import annotations

from urllib.parse import parse_qs

from fastapi import Request
from fastapi.responses import RedirectResponse


async def form_of(request: Request) -> dict[str, list[str]]:
    """The fields of a form that was sent, each with all of its values, blank ones too."""
    body = (await request.body()).decode("utf-8", "replace")
    return parse_qs(body, keep_blank_values=True, max_num_fields=1_000)


def first(form: dict[str, list[str]], name: str) -> str:
    """The first value of a field; empty if there is none."""
    return form.get(name, [""])[0].strip()


def go(path: str) -> RedirectResponse:
    """To another page, by GET: reloading that repeats nothing."""
    return RedirectResponse(path, 303)
