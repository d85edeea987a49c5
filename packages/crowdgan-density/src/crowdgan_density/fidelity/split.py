"""Seeded split of annotated images into a training part and a held-out part, stratified by class or density."""

from __future__ import annotations

import numpy as np

from crowdgan_core.utils.arrays import FloatArray, IndexArray

HELD_OUT_FRACTION = 0.2
"""Fraction of the annotated images on which predictors are tested."""


def split_held_out(
    strata: IndexArray, *, fraction: float = HELD_OUT_FRACTION, seed: int = 0
) -> tuple[IndexArray, IndexArray]:
    """Sorted indices of the training part and of the held-out part.

    The held-out part has the given fraction of every stratum, rounded, at least one image of a stratum with two or
    more, and never all of them.

    Args:
        strata: `[num_images]`, the stratum of each image, for example its class.
        fraction: fraction of the images that is held out.
        seed: random seed.
    """
    rng = np.random.default_rng(seed)
    held_out = []
    for stratum in np.unique(strata):
        members = np.flatnonzero(strata == stratum)
        count = min(max(1, round(fraction * len(members))), len(members) - 1)
        held_out.append(rng.permutation(members)[:count])
    indices = np.sort(np.concatenate(held_out)) if held_out else np.array([], np.intp)
    return np.setdiff1d(np.arange(len(strata)), indices), indices


def stratified_sample(strata: IndexArray, count: int, *, seed: int = 0) -> IndexArray:
    """Sorted indices of at most `count` images, drawn without replacement with the same fraction of every stratum."""
    if len(strata) <= count:
        return np.arange(len(strata))
    order = np.random.default_rng(seed).permutation(len(strata))
    by_stratum = order[np.argsort(strata[order], kind="stable")]
    return np.sort(by_stratum[np.linspace(0, len(strata) - 1, count).round().astype(np.intp)])


def quantile_bounds(densities: FloatArray, count: int) -> FloatArray:
    """Bounds of at most `count` windows with equal numbers of images, `[num_windows - 1]`, increasing."""
    bounds = np.unique(np.quantile(densities, np.linspace(0, 1, count + 1)[1:-1]))
    return np.asarray(bounds[(bounds > densities.min()) & (bounds <= densities.max())])
