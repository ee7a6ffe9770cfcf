"""How pages are made: templates with their filters, and what forms bring back."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from fastapi import Request
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.templating import Jinja2Templates
from markupsafe import Markup

from marketplace.access import Caller
from marketplace.agreements.html import to_html
from marketplace.web import charts
from marketplace.web.format import FILTERS, percent

templates = Jinja2Templates(Path(__file__).parent / "templates")
templates.env.filters |= FILTERS
# What comes out of `to_html` is markup made by us: nobody's HTML gets through it.
templates.env.filters["document"] = lambda text: Markup(to_html(text))
templates.env.globals |= {"percent": percent, "share_bar": charts.share_bar}


def page(request: Request, name: str, caller: Caller, **shown: Any) -> HTMLResponse:
    """A page made of a template.

    Args:
        request: its path tells which entry of the menu is the current one.
        name: of the template.
        caller: who looks; decides what is offered.
        shown: what the template is about.
    """
    context = {"caller": caller, "path": request.url.path, **shown}
    return templates.TemplateResponse(request, name, context)


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
