"""Which augmentations there are, how probable and how strong each is, and the published choices of them."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Any, Literal, get_args

from crowdgan_core.errors import ConfigError

BLIT = ("xflip", "rotate90", "xint")
GEOM = ("scale", "rotate", "aniso", "xfrac")
COLOR = ("brightness", "contrast", "lumaflip", "hue", "saturation")
MULTIPLIERS = (*BLIT, *GEOM, *COLOR, "imgfilter", "noise", "cutout")
"""The augmentations, in the order in which they are applied: settings of the same names say how probable they are."""

SHARES = ("xint_max", "rotate_max", "hue_max", "cutout_size")
"""Strengths that are shares of a whole, 0 to 1."""

NUM_BANDS = 4
"""Frequency bands of the image filter, the last three of an octave each."""


@dataclass(frozen=True, kw_only=True)
class AugmentSettings:
    """Probabilities and strengths of the augmentations.

    An augmentation is applied to an image with its own multiplier times the overall probability p, at most 1.

    Raises:
        ConfigError: a value that is not a finite number in its range.

    Source: Karras et al. 2020 (ADA), appendix B, for all strengths.
    """

    xflip: float = 0.0
    """Multiplier: mirrored left to right, or not, evenly."""
    rotate90: float = 0.0
    """Multiplier: turned by 0, 1, 2 or 3 quarters."""
    xint: float = 0.0
    """Multiplier: moved by whole pixels."""
    xint_max: float = 0.125
    """Largest such move, as a share of the side."""

    scale: float = 0.0
    """Multiplier: scaled alike in both directions."""
    rotate: float = 0.0
    """Multiplier: turned by any angle, before or after `aniso`, or both."""
    aniso: float = 0.0
    """Multiplier: stretched in one direction and squeezed in the other."""
    xfrac: float = 0.0
    """Multiplier: moved by fractions of pixels."""
    scale_std: float = 0.2
    """Standard deviation of the base-2 logarithm of the factor."""
    rotate_max: float = 1.0
    """Largest angle in half turns."""
    aniso_std: float = 0.2
    """Standard deviation of the base-2 logarithm of the factor."""
    xfrac_std: float = 0.125
    """Standard deviation of the move, as a share of the side."""

    brightness: float = 0.0
    """Multiplier: a value is added to all channels."""
    contrast: float = 0.0
    """Multiplier: all channels are multiplied by a factor."""
    lumaflip: float = 0.0
    """Multiplier: light and dark are exchanged and colours kept, or not, evenly."""
    hue: float = 0.0
    """Multiplier: colours are turned about the grey axis."""
    saturation: float = 0.0
    """Multiplier: the distance from the grey axis is multiplied by a factor."""
    brightness_std: float = 0.2
    """Standard deviation of what is added."""
    contrast_std: float = 0.5
    """Standard deviation of the base-2 logarithm of the factor."""
    hue_max: float = 1.0
    """Largest angle in half turns."""
    saturation_std: float = 1.0
    """Standard deviation of the base-2 logarithm of the factor."""

    imgfilter: float = 0.0
    """Multiplier: a frequency band is amplified, for each band by itself."""
    imgfilter_bands: tuple[float, ...] = (1.0,) * NUM_BANDS
    """Multiplier of each band, from low to high frequencies."""
    imgfilter_std: float = 1.0
    """Standard deviation of the base-2 logarithm of the amplification."""

    noise: float = 0.0
    """Multiplier: white noise is added."""
    cutout: float = 0.0
    """Multiplier: a rectangle is set to 0."""
    noise_std: float = 0.1
    """The noise's own standard deviation is the absolute value of a normal draw of this standard deviation."""
    cutout_size: float = 0.5
    """Sides of the rectangle over those of the image."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "imgfilter_bands", _checked_bands(self.imgfilter_bands))
        for name in (item.name for item in fields(self) if item.name != "imgfilter_bands"):
            _check(name, getattr(self, name), 1.0 if name in SHARES else math.inf)

    @property
    def is_off(self) -> bool:
        """Whether no augmentation is ever applied."""
        return not any(getattr(self, name) for name in MULTIPLIERS)


AugmentPreset = Literal["blit", "geom", "color", "filter", "noise", "cutout", "bg", "bgc", "bgcf", "bgcfn", "bgcfnc"]
AUGMENT_PRESETS: tuple[AugmentPreset, ...] = get_args(AugmentPreset)

STAGES: dict[str, tuple[str, ...]] = {
    "blit": BLIT,
    "geom": GEOM,
    "color": COLOR,
    "filter": ("imgfilter",),
    "noise": ("noise",),
    "cutout": ("cutout",),
}
"""The presets of one stage each, in the order in which stages are applied; the others are the first so many."""


def augment_preset(name: AugmentPreset) -> AugmentSettings:
    """The settings of a published choice of augmentations, all of multiplier 1: a stage, or the first letters of the
    stages from the first on. `bgc` is what training takes.

    Raises:
        ConfigError: an unknown name.
    """
    if name not in AUGMENT_PRESETS:
        raise ConfigError(f"augpipe is {name}; it must be one of {', '.join(AUGMENT_PRESETS)}")
    names = STAGES[name] if name in STAGES else sum(list(STAGES.values())[: len(name)], ())
    multipliers: dict[str, Any] = dict.fromkeys(names, 1.0)
    return AugmentSettings(**multipliers)


def _checked_bands(bands: object) -> tuple[float, ...]:
    if not isinstance(bands, (list, tuple)) or len(bands) != NUM_BANDS:
        raise ConfigError(f"imgfilter_bands is {bands!r}; it must be {NUM_BANDS} numbers")
    for value in bands:
        _check("a number of imgfilter_bands", value, math.inf)
    return tuple(bands)


def _check(name: str, value: object, most: float) -> None:
    if not isinstance(value, (int, float)) or not 0 <= value <= most or value == math.inf:
        allowed = "at least 0" if most == math.inf else f"from 0 to {most:g}"
        raise ConfigError(f"{name} is {value!r}; it must be a number {allowed}")
