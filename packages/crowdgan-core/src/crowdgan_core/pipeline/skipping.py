"""Images that a build skips: which of them are errors, and their counts."""

from __future__ import annotations

from dataclasses import dataclass

from crowdgan_core.errors import DensityError
from crowdgan_core.pipeline.image_job import UNKNOWN_DENSITY, UNUSABLE, ProcessedImage, SkippedImage
from crowdgan_core.pipeline.reading import ErrorPolicy, check_skipped
from crowdgan_core.pipeline.summary import BuildSummary
from crowdgan_core.utils.flags import format_size


@dataclass(frozen=True, kw_only=True)
class SkipPolicy:
    """Handling of images that cannot be used; picklable, sent to the worker processes."""

    on_error: ErrorPolicy
    """Damaged or unsuitable images."""

    on_unknown: ErrorPolicy
    """Images whose density cannot be estimated."""

    def is_error(self, image: SkippedImage) -> bool:
        """Whether the image stops the build."""
        return (self.on_unknown if image.category == UNKNOWN_DENSITY else self.on_error) == "fail"

    def count(self, image: SkippedImage, summary: BuildSummary) -> None:
        """Counts a skipped image.

        Raises:
            DatasetError: the image is damaged or unsuitable, and `on_error` is `fail`.
            DensityError: its density cannot be estimated, and `on_unknown` is `fail`.
        """
        if image.category == UNKNOWN_DENSITY:
            if self.on_unknown == "fail":
                raise DensityError(f"{image.source_name}: the density cannot be estimated: {image.reason}")
            summary.skip(f"{image.category}: {image.reason}", image.source_name)
        else:
            check_skipped(image, self.on_error)
            summary.skip(image.category, image.reason)


def check_size(image: ProcessedImage, first_size: tuple[int, int]) -> ProcessedImage | SkippedImage:
    """The image, or the reason to skip it if its size differs from that of the first image."""
    if image.size == first_size:
        return image
    sizes = f"{format_size(image.size)} px, but the first image has {format_size(first_size)} px"
    reason = f"{image.source_name}: {sizes}; set one size with --resolution"
    return SkippedImage(source_name=image.source_name, category=UNUSABLE, reason=reason)
