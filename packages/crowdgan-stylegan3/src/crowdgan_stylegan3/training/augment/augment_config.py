"""Names, probabilities and strengths of augmentations, and the published presets."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Any, Literal, get_args

from crowdgan_core.errors import ConfigError

BLIT = ("xflip", "rotate90", "xint")
GEOM = ("scale", "rotate", "aniso", "xfrac")
COLOR = ("brightness", "contrast", "lumaflip", "hue", "saturation")
MULTIPLIERS = (*BLIT, *GEOM, *COLOR, "imgfilter", "noise", "cutout")
"""Names of the augmentations in the order of application; fields of the same names are their multipliers of p."""

FRACTION_FIELDS = ("xint_max", "rotate_max", "hue_max", "cutout_size")
"""Strengths that are fractions, 0 to 1."""

NUM_BANDS = 4
"""Number of frequency bands of the image filter; the last three have a width of one octave."""


@dataclass(frozen=True, kw_only=True)
class AugmentConfig:
    """Probabilities and strengths of the augmentations.

    An augmentation is applied to an image with probability multiplier · p, at most 1.

    Raises:
        ConfigError: a value that is not a finite number in its range.

    Source: Karras et al. 2020 (ADA), appendix B, for all strengths.
    """

    xflip: float = 0.0
    """Multiplier: horizontal flip, with probability 1/2."""
    rotate90: float = 0.0
    """Multiplier: rotation by 0, 90, 180 or 270 degrees."""
    xint: float = 0.0
    """Multiplier: translation by whole pixels."""
    xint_max: float = 0.125
    """Maximum translation, as a fraction of the image side."""

    scale: float = 0.0
    """Multiplier: isotropic scaling."""
    rotate: float = 0.0
    """Multiplier: rotation by any angle, before `aniso`, after it, or both."""
    aniso: float = 0.0
    """Multiplier: anisotropic scaling: stretched along one axis and compressed along the other."""
    xfrac: float = 0.0
    """Multiplier: translation by fractions of pixels."""
    scale_std: float = 0.2
    """Standard deviation of the base-2 logarithm of the factor."""
    rotate_max: float = 1.0
    """Maximum angle in units of 180 degrees."""
    aniso_std: float = 0.2
    """Standard deviation of the base-2 logarithm of the factor."""
    xfrac_std: float = 0.125
    """Standard deviation of the translation, as a fraction of the image side."""

    brightness: float = 0.0
    """Multiplier: a value is added to all channels."""
    contrast: float = 0.0
    """Multiplier: all channels are multiplied by a factor."""
    lumaflip: float = 0.0
    """Multiplier: inversion of the luma with unchanged chroma, with probability 1/2."""
    hue: float = 0.0
    """Multiplier: rotation of colours about the grey axis."""
    saturation: float = 0.0
    """Multiplier: the distance from the grey axis is multiplied by a factor."""
    brightness_std: float = 0.2
    """Standard deviation of the added value."""
    contrast_std: float = 0.5
    """Standard deviation of the base-2 logarithm of the factor."""
    hue_max: float = 1.0
    """Maximum angle in units of 180 degrees."""
    saturation_std: float = 1.0
    """Standard deviation of the base-2 logarithm of the factor."""

    imgfilter: float = 0.0
    """Multiplier: amplification of frequency bands, drawn independently for each band."""
    imgfilter_bands: tuple[float, ...] = (1.0,) * NUM_BANDS
    """Multiplier of each band, from low to high frequencies."""
    imgfilter_std: float = 1.0
    """Standard deviation of the base-2 logarithm of the amplification."""

    noise: float = 0.0
    """Multiplier: white noise is added."""
    cutout: float = 0.0
    """Multiplier: a rectangle is set to 0."""
    noise_std: float = 0.1
    """Scale of the half-normal distribution from which the standard deviation of the noise is drawn."""
    cutout_size: float = 0.5
    """Sides of the rectangle as fractions of the image sides."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "imgfilter_bands", _validate_bands(self.imgfilter_bands))
        for name in (item.name for item in fields(self) if item.name != "imgfilter_bands"):
            _check(name, getattr(self, name), 1.0 if name in FRACTION_FIELDS else math.inf)

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
"""Presets with one stage each, in the order of application; a preset such as `bgc` consists of the first stages."""


def augment_preset(name: AugmentPreset) -> AugmentConfig:
    """The config of a published preset, with multipliers of 1; training uses `bgc`.

    Args:
        name: a stage, or the first letters of the first stages.

    Raises:
        ConfigError: an unknown name.
    """
    if name not in AUGMENT_PRESETS:
        raise ConfigError(f"augpipe is {name}; it must be one of {', '.join(AUGMENT_PRESETS)}")
    names = STAGES[name] if name in STAGES else sum(list(STAGES.values())[: len(name)], ())
    multipliers: dict[str, Any] = dict.fromkeys(names, 1.0)
    return AugmentConfig(**multipliers)


def _validate_bands(bands: object) -> tuple[float, ...]:
    if not isinstance(bands, (list, tuple)) or len(bands) != NUM_BANDS:
        raise ConfigError(f"imgfilter_bands is {bands!r}; it must be {NUM_BANDS} numbers")
    for value in bands:
        _check("a value of imgfilter_bands", value, math.inf)
    return tuple(bands)


def _check(name: str, value: object, maximum: float) -> None:
    if not isinstance(value, (int, float)) or not 0 <= value <= maximum or value == math.inf:
        allowed = "at least 0" if maximum == math.inf else f"from 0 to {maximum:g}"
        raise ConfigError(f"{name} is {value!r}; it must be a number {allowed}")
