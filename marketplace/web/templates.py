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

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
_templates = Jinja2Templates(Path(__file__).parent / "templates")
_templates.env.filters |= FILTERS
# What comes out of `to_html` is markup made by us: nobody's HTML gets through it.
_templates.env.filters["document"] = lambda text: Markup(to_html(text))
_templates.env.globals |= {"percent": percent, "share_bar": charts.share_bar, "dots": charts.dots}


def zoned(text: str) -> Markup:
    """A text in which times are marked as such: pages show them in their readers' zones."""
    return Markup(_TIME.sub(r'<time datetime="\g<0>" data-moment>\g<0></time>', str(escape(text))))


_templates.env.filters["zoned"] = zoned


def page(request: Request, name: str, caller: Caller, **shown: Any) -> HTMLResponse:
    """A page for a caller."""
    context = {"caller": caller, "path": request.url.path, **shown}
    return _templates.TemplateResponse(request, name, context)
