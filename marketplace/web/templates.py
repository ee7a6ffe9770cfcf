"""The templates, and what they all can use."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse
from fastapi.templating import Jinja2Templates

from marketplace.access import Caller
from marketplace.web import charts
from marketplace.web.format import FILTERS, percent

_templates = Jinja2Templates(Path(__file__).parent / "templates")
_templates.env.filters |= FILTERS
_templates.env.globals |= {"percent": percent, "share_bar": charts.share_bar}


def page(request: Request, name: str, caller: Caller, **shown: Any) -> HTMLResponse:
    """A page for a caller."""
    context = {"caller": caller, "path": request.url.path, **shown}
    return _templates.TemplateResponse(request, name, context)
