"""The templates, and what they all can use."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse
from fastapi.templating import Jinja2Templates
from markupsafe import Markup, escape

from marketplace.access import Caller
from marketplace.agreements.html import to_html
from marketplace.web import charts
from marketplace.web.format import FILTERS, percent

_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}\b")
_COMMAND = re.compile(r"swarm-market [^.;<>]+$")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
_templates = Jinja2Templates(Path(__file__).parent / "templates")
_templates.env.filters |= FILTERS
# What comes out of `to_html` is markup made by us: nobody's HTML gets through it.
_templates.env.filters["document"] = lambda text: Markup(to_html(text))
_templates.env.globals |= {"percent": percent, "share_bar": charts.share_bar, "dots": charts.dots}


def zoned(text: str) -> Markup:
    """A text in which times are marked as such: pages show them in their readers' zones.

    So are addresses, which are shown short and copied whole, and a command at the end.
    """
    marked = _TIME.sub(r'<time datetime="\g<0>" data-moment>\g<0></time>', str(escape(text)))
    marked = _COMMAND.sub(r"<code>\g<0></code>", marked)
    return Markup(_ADDRESS.sub(lambda found: _macros.hash(found[0]), marked))


_templates.env.filters["zoned"] = zoned
_macros: Any = _templates.env.get_template("parts.html").module


def page(request: Request, name: str, caller: Caller, **shown: Any) -> HTMLResponse:
    """A page for a caller."""
    context = {"caller": caller, "path": request.url.path, **shown}
    return _templates.TemplateResponse(request, name, context)
