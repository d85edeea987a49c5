"""Augmentation of real and generated images, to prevent the discriminator from overfitting a small dataset.

Source: Karras et al., "Training Generative Adversarial Networks with Limited Data" (ADA), 2020, appendix B.
"""

from crowdgan_stylegan3.training.augment.augment_config import (
    AUGMENT_PRESETS,
    AugmentConfig,
    AugmentPreset,
    augment_preset,
)
from crowdgan_stylegan3.training.augment.pipe import AugmentPipe

__all__ = ["AUGMENT_PRESETS", "AugmentConfig", "AugmentPipe", "AugmentPreset", "augment_preset"]
