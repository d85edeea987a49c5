"""Density edits of intermediate latents."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from crowdgan_core.manipulation.latent_means import LatentMeans
from crowdgan_core.models.generation.conditioning import LabelVector
from crowdgan_core.models.latent_generator import LatentArray


def edit_latents(
    latent: LatentArray,
    means: LatentMeans,
    source: LabelVector,
    targets: Sequence[LabelVector],
    *,
    layers: Sequence[int] | None = None,
    strength: float = 1.0,
) -> LatentArray:
    """Latents whose density is changed, `[num_targets, num_layers, latent_dim]`; everything else is kept.

    The difference between the mean latents of the target and of the source label is added. A target that equals the
    source gives the latent itself.

    Args:
        latent: `[1, num_layers, latent_dim]`.
        means: means of the generator's latents.
        source: label of `latent`.
        targets: requested labels.
        layers: indices of the layers that are changed; None for all.
        strength: factor of the difference.
    """
    differences = np.stack([means.mean(target) - means.mean(source) for target in targets])
    weights = np.zeros((latent.shape[1], 1))
    weights[slice(None) if layers is None else list(layers)] = strength
    return np.asarray(latent + weights * differences, np.float32)
