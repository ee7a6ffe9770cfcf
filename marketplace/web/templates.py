"""The templates, and what they all can use."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse
from fastapi.templating import Jinja2Templates
from markupsafe import Markup

from marketplace.access import Caller
from marketplace.agreements.html import to_html
from marketplace.web import charts
from marketplace.web.format import FILTERS, percent

_templates = Jinja2Templates(Path(__file__).parent / "templates")
_templates.env.filters |= FILTERS
# What comes out of `to_html` is markup made by us: nobody's HTML gets through it.
_templates.env.filters["document"] = lambda text: Markup(to_html(text))
_templates.env.globals |= {"percent": percent, "share_bar": charts.share_bar}


def page(request: Request, name: str, caller: Caller, **shown: Any) -> HTMLResponse:
    """A page for a caller."""
    context = {"caller": caller, "path": request.url.path, **shown}
    return _templates.TemplateResponse(request, name, context)
