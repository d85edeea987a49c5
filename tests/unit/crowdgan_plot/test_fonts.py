"""Characters that the default font does not have: fallback fonts, and one message if there is none."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from matplotlib.figure import Figure
from matplotlib.font_manager import fontManager
from PIL import Image

from crowdgan_plot import fonts
from crowdgan_plot.fonts import fallback_families, warn_of_missing_glyphs
from crowdgan_plot.style import encode_figure

RARE = "\U00010380"
"""A character (Ugaritic) that DejaVu Sans does not have."""

MISSING_TWO = "characters such as \U00010380\U00010381 are drawn as boxes, because no installed font has them; "


@pytest.fixture
def rare_font(tmp_path: Path) -> Iterator[str]:
    """The family name of an installed font with one glyph, a filled square, for `RARE`."""
    pen = TTGlyphPen(None)
    pen.moveTo((0, 0))
    for point in [(0, 1000), (1000, 1000), (1000, 0)]:
        pen.lineTo(point)
    pen.closePath()
    builder = FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder([".notdef", "square"])
    builder.setupCharacterMap({ord(RARE): "square"})
    builder.setupGlyf({".notdef": TTGlyphPen(None).glyph(), "square": pen.glyph()})
    builder.setupHorizontalMetrics({".notdef": (1000, 0), "square": (1000, 0)})
    builder.setupHorizontalHeader(ascent=1000, descent=0)
    builder.setupNameTable({"familyName": "Test Rare", "styleName": "Regular"})
    builder.setupOS2()
    builder.setupPost()
    builder.save(tmp_path / "rare.ttf")
    before = list(fontManager.ttflist)
    fontManager.addfont(tmp_path / "rare.ttf")
    fallback_families.cache_clear()
    yield "Test Rare"
    fontManager.ttflist[:] = before
    fallback_families.cache_clear()


def dark_fraction(figure: Figure, notes: list[str]) -> float:
    """Fraction of dark pixels of a figure as a PNG; warnings are errors."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        png = encode_figure(figure, "png", on_note=notes.append)
    return float((np.asarray(Image.open(io.BytesIO(png)).convert("L")) < 128).mean())


def test_characters_are_drawn_in_an_installed_font_that_has_them(figure: Figure, rare_font: str) -> None:
    text = figure.text(0.5, 0.5, RARE, fontsize=72)
    notes: list[str] = []
    assert dark_fraction(figure, notes) == pytest.approx(72**2 / (10 * 72 * 5.6 * 72), rel=0.1)
    assert notes == []
    assert text.get_fontfamily()[-1] == rare_font


def test_missing_characters_are_named_in_one_message(figure: Figure) -> None:
    figure.text(0.1, 0.5, f"{RARE}\U00010381")
    figure.text(0.1, 0.1, f"a {RARE}")
    notes: list[str] = []
    dark_fraction(figure, notes)
    assert len(notes) == 1
    assert notes[0].startswith(MISSING_TWO)


def test_an_svg_has_no_message(figure: Figure) -> None:
    figure.text(0.1, 0.5, RARE)
    notes: list[str] = []
    svg = encode_figure(figure, "svg", on_note=notes.append)
    assert RARE.encode() in svg
    assert notes == []


def test_known_characters_keep_the_default_font(figure: Figure) -> None:
    text = figure.text(0.1, 0.5, "abc äöü αβγ абв")
    dark_fraction(figure, [])
    assert text.get_fontfamily() == ["sans-serif"]


def test_other_warnings_are_issued(figure: Figure) -> None:
    figure.subplots().text(0.5, 0.5, RARE)
    draw = figure.draw

    def draw_and_warn(renderer: object) -> None:
        warnings.warn("another problem", RuntimeWarning, stacklevel=1)
        draw(renderer)  # type: ignore[arg-type]

    figure.draw = draw_and_warn  # type: ignore[method-assign]
    with pytest.warns(RuntimeWarning, match="another problem"):
        encode_figure(figure, "png", on_note=lambda note: None)


def test_a_process_warns_once(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(fonts, "_first_note", iter([True]))
    for note in ("first", "second"):
        warn_of_missing_glyphs(note)
    assert caplog.messages == ["first"]
