"""Fonts for characters that the default font does not have, such as those of names in Chinese or Hindi."""

from __future__ import annotations

import logging
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import TypeVar

from matplotlib.figure import Figure
from matplotlib.font_manager import fontManager, get_font
from matplotlib.text import Text

GLYPH_WARNING = re.compile(r"Glyph (\d+) .*missing from")
"""Start of matplotlib's warning about a character without glyph; the number is its code point."""

PLACEHOLDER_FONT = re.compile(r"\.?Last ?Resort")
"""Start of the name of fonts that have a box for every character."""

MAX_LISTED_CHARACTERS = 10
"""Maximum number of characters in the message about missing glyphs."""

logger = logging.getLogger(__name__)

Rendered = TypeVar("Rendered")


def render_with_fallback_fonts(
    figure: Figure, render: Callable[[], Rendered], on_note: Callable[[str], None]
) -> Rendered:
    """The result of rendering a figure; again with installed fallback fonts if the first fonts lack characters.

    Args:
        figure: the figure; fallback fonts are added to its texts if they are needed.
        render: renders the figure.
        on_note: receives a message if no installed font has some of the characters.
    """
    with _record_missing_characters() as missing:
        result = render()
    families = fallback_families(frozenset(missing)) if missing else []
    if families:
        for text in figure.findobj(Text):
            if isinstance(text, Text):
                text.set_fontfamily([*text.get_fontfamily(), *families])
        with _record_missing_characters() as missing:
            result = render()
    if missing:
        listed = "".join(sorted(missing)[:MAX_LISTED_CHARACTERS])
        on_note(
            f"characters such as {listed} are drawn as boxes, because no installed font has them; "
            "install a font for their script, for example a Noto font"
        )
    return result


@cache
def fallback_families(characters: frozenset[str]) -> list[str]:
    """Installed font families that together have as many of the characters as possible; sans-serif ones first."""
    remaining = set(map(ord, characters))
    families: list[str] = []
    for entry in sorted(fontManager.ttflist, key=lambda item: ("Sans" not in item.name, item.name, item.fname)):
        if not remaining:
            break
        if entry.style != "normal" or entry.name in families or PLACEHOLDER_FONT.match(entry.name):
            continue
        found = remaining & _code_points(entry.fname)
        if found:
            families.append(entry.name)
            remaining -= found
    return families


def _code_points(path: str) -> set[int]:
    """Code points that a font file has; empty if matplotlib cannot read it, as for colour bitmap fonts."""
    try:
        return set(get_font(path).get_charmap())
    except (OSError, RuntimeError, ValueError):
        return set()


def warn_of_missing_glyphs(note: str) -> None:
    """Logs the message as a warning; further messages of the process are ignored, since every figure may have one."""
    if next(_first_note, False):
        logger.warning(note)


_first_note = iter([True])


@contextmanager
def _record_missing_characters() -> Iterator[set[str]]:
    """Yields a set that has the characters without glyph after the context; other warnings are issued as usual."""
    missing: set[str] = set()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield missing
    for item in caught:
        match = GLYPH_WARNING.match(str(item.message))
        if match:
            missing.add(chr(int(match[1])))
        else:
            warnings.warn_explicit(item.message, item.category, item.filename, item.lineno)
