"""Augmentation of what the discriminator sees, which keeps it from learning a small dataset by heart.

Source: Karras et al., "Training Generative Adversarial Networks with Limited Data" (ADA), 2020, appendix B.
"""

from crowdgan_stylegan3.training.augment.augment_config import (
    AUGMENT_PRESETS,
    AugmentPreset,
    AugmentSettings,
    augment_preset,
)
from crowdgan_stylegan3.training.augment.pipe import AugmentPipe

__all__ = ["AUGMENT_PRESETS", "AugmentPipe", "AugmentPreset", "AugmentSettings", "augment_preset"]
