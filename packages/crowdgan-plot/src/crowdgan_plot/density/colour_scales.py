"""Colours of the values of layers: by classes, equal in all figures, or from the lowest to the highest value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.colors import BoundaryNorm, Colormap, ListedColormap, Normalize

from crowdgan_core.density.layers import HeatmapLayer, Layer, ValueClasses, layer_values
from crowdgan_core.utils.arrays import FloatArray
from crowdgan_plot.style import DENSITY_COLOUR_MAP, SECOND_COLOUR_MAP, class_colours

CLIP_QUANTILE, CLIP_MIN_FRACTION = 0.97, 0.01
"""Quantile of a smooth heatmap at which its colours end, over the values above a fraction of the maximum."""


@dataclass(frozen=True, kw_only=True)
class ColourScale:
    """Mapping from values of one unit to colours."""

    unit: str
    layer_labels: tuple[str, ...]
    """Labels of the layers that use the scale."""
    norm: Normalize
    colour_map: str | Colormap
    is_clipped: bool
    """Whether values above the end of the scale exist."""
    classes: ValueClasses | None = None
    """Classes that have one colour each; None for continuous colours."""

    @property
    def label(self) -> str:
        """Text for the legend, with unit."""
        labels = f"{', '.join(self.layer_labels)} ({self.unit})"
        return labels if self.classes is None else f"{labels}; {self.classes.title}"

    @property
    def arguments(self) -> dict[str, Any]:
        """Keyword arguments of matplotlib functions."""
        return {"norm": self.norm, "cmap": self.colour_map}


def colour_scales(layers: Sequence[Layer]) -> dict[str, ColourScale]:
    """The colour scale of each unit; values of one unit have the same colours in all panels."""
    units = dict.fromkeys(layer.unit for layer in layers if layer.unit and _has_values(layer))
    return {
        str(unit): _colour_scale(str(unit), [layer for layer in layers if layer.unit == unit], is_first=index == 0)
        for index, unit in enumerate(units)
    }


def _colour_scale(unit: str, layers: Sequence[Layer], *, is_first: bool) -> ColourScale:
    """The scale of layers with one unit: that of their classes if one of them has classes."""
    labels = tuple(dict.fromkeys(layer.label for layer in layers if layer_values(layer) is not None))
    classes = next((layer.classes for layer in layers if layer.classes is not None), None)
    if classes is not None:
        return ColourScale(
            unit=unit,
            layer_labels=labels,
            norm=_class_norm(classes),
            colour_map=ListedColormap(class_colours(len(classes.names))),
            is_clipped=False,
            classes=classes,
        )
    values = np.concatenate([np.ravel(values) for layer in layers if (values := layer_values(layer)) is not None])
    is_smooth = all(isinstance(layer, HeatmapLayer) and not layer.is_discrete for layer in layers)
    low, high, is_clipped = _colour_limits(values[np.isfinite(values)], is_smooth=is_smooth)
    return ColourScale(
        unit=unit,
        layer_labels=labels,
        norm=Normalize(low, high, clip=True),
        colour_map=DENSITY_COLOUR_MAP if is_first else SECOND_COLOUR_MAP,
        is_clipped=is_clipped,
    )


def _class_norm(classes: ValueClasses) -> BoundaryNorm:
    """The index of the class of each value; lower and higher values are in the first and the last class."""
    bounds = classes.bounds
    first_of_class = [
        value if included else float(np.nextafter(value, np.inf))
        for value, included in zip(bounds.values, bounds.included_above, strict=True)
    ]
    return BoundaryNorm([first_of_class[0] - 1, *first_of_class, first_of_class[-1] + 1], len(classes.names), clip=True)


def _colour_limits(values: FloatArray, *, is_smooth: bool) -> tuple[float, float, bool]:
    """Values of the first and last colour, and whether there are higher values.

    Only smooth heatmaps are clipped at a quantile: otherwise a few peaks, of people who touch, would leave the rest in
    one colour. If all values are equal, they are in the middle of the scale.
    """
    low, high = min(0.0, float(values.min())), float(values.max())
    if is_smooth and (positive := values[values > CLIP_MIN_FRACTION * high]).size > 2:
        limit = float(np.quantile(positive, CLIP_QUANTILE))
        return low, limit, limit < high
    if values.min() == high:
        return low, 1.5 * high or 1.0, False
    return low, high, False


def _has_values(layer: Layer) -> bool:
    """Whether a layer has finite values."""
    values = layer_values(layer)
    return values is not None and bool(np.isfinite(values).any())
