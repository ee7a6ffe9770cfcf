"""The text of an agreement as HTML: Markdown without raw HTML, links or images."""

from __future__ import annotations

from typing import Final

from markdown_it import MarkdownIt

# What people wrote must neither call elsewhere nor look like a button of ours.
_NEVER: Final = ["image", "link", "autolink", "html_inline", "html_block", "reference"]
_markdown: Final = MarkdownIt("commonmark", {"html": False}).enable("table").disable(_NEVER)


def to_html(text: str) -> str:
    """HTML that may stand in a page as it is; headings one level lower, the page has its own."""
    tokens = _markdown.parse(text)
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(int(token.tag[1]) + 1, 6)}"
        elif token.type == "table_open":
            token.attrSet("tabindex", "0")  # one that is too wide is scrolled by keyboard, too
    return str(_markdown.renderer.render(tokens, _markdown.options, {}))
