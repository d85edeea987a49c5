"""Images during an optimisation, for an animation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from PIL import Image

from crowdgan_core.manipulation.similarity import psnr
from crowdgan_core.models.generation.strips import add_captions, encode_animation, image_strip
from crowdgan_core.utils.arrays import ImageArray

IMAGES_PER_PHASE = 40


@dataclass(frozen=True, eq=False)
class History:
    """Images during the projection and the tuning of one target, at equal numbers of steps."""

    target: ImageArray
    """`[height, width, 3]`"""

    entries: list[tuple[str, ImageArray]] = field(default_factory=list)
    """Caption and image, in their order."""

    def add(self, phase: str, step: int, num_steps: int, image: Callable[[], ImageArray]) -> None:
        """Adds the image after `step` of `num_steps` steps, if it is due; only then it is computed."""
        interval = max(1, num_steps // IMAGES_PER_PHASE)
        if step % interval == 0 or step == num_steps:
            self.entries.append((f"{phase}, step {step}", image()))

    def encode(self, record: Mapping[str, Any]) -> bytes:
        """A WebP animation with the target on the left and the images on the right."""
        images = add_captions(
            [self.target, *(image for _, image in self.entries)],
            [("target",), *((caption, f"{psnr(image, self.target):.1f} dB") for caption, image in self.entries)],
        )
        frames = [Image.fromarray(image_strip([images[0], image])) for image in images[1:]]
        return encode_animation(frames, "webp", record, backwards=False)
