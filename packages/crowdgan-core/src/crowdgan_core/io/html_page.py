"""Self-contained HTML pages of reports, in light and dark colours, for screens and phones."""

from __future__ import annotations

import base64
import html
from collections.abc import Iterable, Sequence
from importlib.resources import files
from pathlib import Path
from string import Template

from crowdgan_core.errors import ConfigError
from crowdgan_core.io.atomic import check_overwrite

HTML_SUFFIXES = (".html", ".htm")


def check_html_path(dest: Path, *, overwrite: bool) -> None:
    """Checks that a file name has the suffix of an HTML page, and that the file may be written.

    Raises:
        ConfigError: another suffix.
        DatasetError: the file exists, without `overwrite`.
    """
    if dest.suffix.lower() not in HTML_SUFFIXES:
        raise ConfigError(f"{dest}: the file name must end in {' or '.join(HTML_SUFFIXES)}")
    check_overwrite(dest, overwrite=overwrite)


def render_page(
    title: str, facts: Iterable[tuple[str, str]], content: str, *, style: str = "", script: str = ""
) -> str:
    """HTML of a page with a title, a row of facts and content.

    Args:
        title: text of the title.
        facts: name and value of each fact, as text.
        content: HTML of the main part.
        style: further CSS.
        script: further JavaScript.
    """
    items = (f"<li><b>{html.escape(value)}</b><span>{html.escape(name)}</span></li>" for name, value in facts)
    template = files("crowdgan_core.io").joinpath("html_page.html").read_text(encoding="utf-8")
    return Template(template).substitute(
        title=html.escape(title), facts="\n".join(items), content=content, style=style, script=script
    )


def image_html(label: str, data: bytes, media_type: str, attributes: str = "") -> str:
    """An image element that contains its file.

    Args:
        label: alternative text.
        data: the file.
        media_type: for example `png` or `svg+xml`.
        attributes: HTML of further attributes, starting with a space.
    """
    encoded = base64.b64encode(data).decode("ascii")
    return f'<img alt="{html.escape(label)}"{attributes} src="data:image/{media_type};base64,{encoded}">'


def facts_table_html(rows: Iterable[tuple[str, str]]) -> str:
    """A table of names and values; empty without rows."""
    lines = "\n".join(f"<tr><td>{html.escape(name)}</td><td>{html.escape(value)}</td></tr>" for name, value in rows)
    return f'<table class="names">\n{lines}\n</table>' if lines else ""


def notes_html(notes: Sequence[str]) -> str:
    """A list of notes; empty without notes."""
    items = "".join(f"<li>{html.escape(note)}</li>" for note in notes)
    return f'<ul class="notes">{items}</ul>' if notes else ""
