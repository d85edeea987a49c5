"""Captions below images, drawn with Pillow's built-in font."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

INK, PAPER = (25, 25, 25), (255, 255, 255)
"""Colours of text and background, RGB."""

SUPERSCRIPTS = {"²": "2", "³": "3"}
"""Characters missing in the font; drawn as small raised digits."""

SUPERSCRIPT_SIZE, SUPERSCRIPT_RISE = 0.62, 0.28
"""Size of a raised digit, and its rise above the text centre, as fractions of the font size."""

FONT_SIZE_LIMITS_PX = (9, 40)
"""Smallest and largest font size."""

FONT_SIZE_FRACTION = 0.1
"""Preferred font size as a fraction of the image width."""

LINE_HEIGHT = 1.3
"""Line height in multiples of the font size."""

PADDING = 0.5
"""Padding above and below the lines in multiples of the font size; at the sides twice as much in total."""


@dataclass(frozen=True)
class CaptionBand:
    """Space for captions below images of equal width, in one font size.

    A caption that is too wide for the smallest font size is cut off at the image edges.
    """

    width_px: int
    size_px: int
    """Font size."""
    lines: int

    @classmethod
    def fit(cls, captions: Sequence[Sequence[str]], width_px: int) -> CaptionBand:
        """The band for these captions, with the largest font size that fits, at most the preferred one."""
        smallest, largest = FONT_SIZE_LIMITS_PX
        size_px = min(largest, max(smallest, round(FONT_SIZE_FRACTION * width_px)))
        texts = {text for caption in captions for text in caption}
        while size_px > smallest and any(_width(text, size_px) > width_px - 2 * PADDING * size_px for text in texts):
            size_px -= 1
        return cls(width_px, size_px, max(len(caption) for caption in captions))

    @property
    def height_px(self) -> int:
        """Height of the band."""
        return round((self.lines * LINE_HEIGHT + 2 * PADDING) * self.size_px)

    def draw(self, caption: Sequence[str]) -> Image.Image:
        """The band with the lines of a caption, centred, from the top."""
        band = Image.new("RGB", (self.width_px, self.height_px), PAPER)
        draw = ImageDraw.Draw(band)
        for index, text in enumerate(caption):
            x = (self.width_px - _width(text, self.size_px)) / 2
            y = (PADDING + (index + 0.5) * LINE_HEIGHT) * self.size_px
            for run, is_raised in _runs(text):
                font = _font(self.size_px, is_raised)
                draw.text((x, y - SUPERSCRIPT_RISE * self.size_px * is_raised), run, INK, font, anchor="lm")
                x += font.getlength(run)
        return band


def drawable_text(text: str) -> str:
    """The text in characters of the font: accents are removed, other missing characters become `?`."""
    decomposed = (item if item in SUPERSCRIPTS else unicodedata.normalize("NFKD", item) for item in text)
    characters = (item for item in "".join(decomposed) if not unicodedata.combining(item))
    return "".join(
        item if item in SUPERSCRIPTS or (item.isascii() and item.isprintable()) else "?" for item in characters
    )


def _runs(text: str) -> list[tuple[str, bool]]:
    """Parts of a text, each with whether it is raised."""
    runs: list[tuple[str, bool]] = []
    for item in drawable_text(text):
        is_raised = item in SUPERSCRIPTS
        if runs and runs[-1][1] == is_raised:
            runs[-1] = (runs[-1][0] + SUPERSCRIPTS.get(item, item), is_raised)
        else:
            runs.append((SUPERSCRIPTS.get(item, item), is_raised))
    return runs


def _width(text: str, size_px: int) -> float:
    return sum(_font(size_px, is_raised).getlength(run) for run, is_raised in _runs(text))


def _font(size_px: int, is_raised: bool) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size_px * SUPERSCRIPT_SIZE if is_raised else size_px)
