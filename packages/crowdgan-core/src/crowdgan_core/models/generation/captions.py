"""Text below an image, drawn with the font that Pillow brings."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

INK, PAPER = (25, 25, 25), (255, 255, 255)

SUPERSCRIPTS = {"²": "2", "³": "3"}
"""Characters of units that the font lacks: drawn as small raised digits."""

RAISED_SIZE, RAISED_BY = 0.62, 0.28
"""Size of such a digit, and how far its top stands above that of the text, as shares of the text's size."""

FONT_PX = (9, 40)
"""Smallest and largest size of the text."""

FONT_SHARE = 0.1
"""Size of the text that is aimed at, as a share of the width of the image."""

LINE = 1.3
"""Distance of lines, in sizes of the text."""

PADDING = 0.5
"""Room above and below the lines, in sizes of the text; twice that is kept free of it at the sides."""


@dataclass(frozen=True)
class CaptionBand:
    """Room for captions below images of one width, with text of one size in which all of them fit.

    Where even the smallest size is too wide, the text is cut at the edges of the image.
    """

    width_px: int
    size_px: int
    lines: int

    @classmethod
    def fitting(cls, captions: Sequence[Sequence[str]], width_px: int) -> CaptionBand:
        """The band in which all captions fit, with the largest text up to the size that is aimed at."""
        smallest, largest = FONT_PX
        size_px = min(largest, max(smallest, round(FONT_SHARE * width_px)))
        texts = {text for caption in captions for text in caption}
        while size_px > smallest and any(_width(text, size_px) > width_px - 2 * PADDING * size_px for text in texts):
            size_px -= 1
        return cls(width_px, size_px, max(len(caption) for caption in captions))

    @property
    def height_px(self) -> int:
        """Height of the band."""
        return round((self.lines * LINE + 2 * PADDING) * self.size_px)

    def draw(self, caption: Sequence[str]) -> Image.Image:
        """The band with a caption: its lines centred, from the top."""
        band = Image.new("RGB", (self.width_px, self.height_px), PAPER)
        draw = ImageDraw.Draw(band)
        for index, text in enumerate(caption):
            x = (self.width_px - _width(text, self.size_px)) / 2
            y = (PADDING + (index + 0.5) * LINE) * self.size_px
            for run, is_raised in _runs(text):
                font = _font(self.size_px, is_raised)
                draw.text((x, y - RAISED_BY * self.size_px * is_raised), run, INK, font, anchor="lm")
                x += font.getlength(run)
        return band


def drawable(text: str) -> str:
    """The text with what the font has: accents are dropped, other characters that it lacks become `?`."""
    plain = (item if item in SUPERSCRIPTS else unicodedata.normalize("NFKD", item) for item in text)
    kept = (item for item in "".join(plain) if not unicodedata.combining(item))
    return "".join(item if item in SUPERSCRIPTS or (item.isascii() and item.isprintable()) else "?" for item in kept)


def _runs(text: str) -> list[tuple[str, bool]]:
    """Pieces of a text, and whether each is raised."""
    runs: list[tuple[str, bool]] = []
    for item in drawable(text):
        raised = item in SUPERSCRIPTS
        if runs and runs[-1][1] == raised:
            runs[-1] = (runs[-1][0] + SUPERSCRIPTS.get(item, item), raised)
        else:
            runs.append((SUPERSCRIPTS.get(item, item), raised))
    return runs


def _width(text: str, size_px: int) -> float:
    return sum(_font(size_px, is_raised).getlength(run) for run, is_raised in _runs(text))


def _font(size_px: int, is_raised: bool) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size_px * RAISED_SIZE if is_raised else size_px)
