"""The contract of quality metrics: what they receive and return."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol, TypeVar

from crowdgan_core.datasets.protocols import DatasetReader
from crowdgan_core.metrics.extractor import FeatureArray, FeatureExtractor
from crowdgan_core.metrics.image_sets import ImageSet
from crowdgan_core.models.backend import ImageGenerator
from crowdgan_core.utils.progress import Progress

T = TypeVar("T")


@dataclass(frozen=True)
class MetricValue:
    """One number of a metric."""

    value: float
    standard_error: float | None = None
    """Standard error of the value; None if it is not estimated."""


class MetricInputs(Protocol):
    """The inputs of a metric. Extractors are loaded and features are computed once for all metrics."""

    @property
    def real(self) -> ImageSet | None:
        """Real images; None if none were given."""
        ...

    @property
    def generated(self) -> ImageSet | None:
        """Generated images, or the images that are compared with the real ones."""
        ...

    @property
    def dataset(self) -> DatasetReader | None:
        """The dataset of the real images, with labels and densities; None for images without them."""
        ...

    @property
    def generator(self) -> ImageGenerator | None:
        """The generator; None when two sets of images are compared."""
        ...

    @property
    def num_images(self) -> int:
        """Number of images that a metric generates or evaluates."""
        ...

    @property
    def seed(self) -> int:
        """Seed of everything random."""
        ...

    @property
    def device(self) -> str:
        """`auto`, `cpu` or `cuda`."""
        ...

    @property
    def batch_size(self) -> int:
        """Number of images that a metric generates or evaluates at a time; values do not depend on it."""
        ...

    def unavailable_extractor(self, name: str) -> str | None:
        """The reason why the feature extractor `name` cannot be used, with what the user can do; None if it can be."""
        ...

    def extractor(self, name: str) -> FeatureExtractor:
        """The loaded feature extractor `name`."""
        ...

    def features(self, images: ImageSet, extractor: str, progress: Progress) -> FeatureArray:
        """Features `[num_images, num_features]` of a set; those of real images are cached on disk."""
        ...

    def real_result(self, key: str, compute: Callable[[], T]) -> T:
        """A result that depends only on the real images, the seed and the device; computed once for all generators.

        Args:
            key: name of the result, which starts with that of the metric.
            compute: computes it.
        """
        ...


class Metric(Protocol):
    """A quality metric of a generator, or of one set of images relative to another.

    Optional attributes: `num_images`, the number of generated images in its definition, instead of the default;
    `uses_real_images`, False if it does not compare with real images; `ranking_key`, the key of the value by which
    models are ranked, instead of its name; and `notes(inputs)`, which returns remarks on the values, as texts, and is
    called after `compute`.
    """

    @property
    def name(self) -> str:
        """Name in `--metrics`."""
        ...

    @property
    def description(self) -> str:
        """The measured property in one line, which states whether higher or lower is better."""
        ...

    @property
    def higher_is_better(self) -> bool:
        """Whether a model with a higher value is better."""
        ...

    def unavailable_reason(self, inputs: MetricInputs) -> str | None:
        """The reason why it cannot be computed from these inputs, with what the user can do; None if it can be."""
        ...

    def compute(self, inputs: MetricInputs, progress: Progress) -> Mapping[str, MetricValue]:
        """Values by key; the key of a metric with one value is its name."""
        ...


def ranking_key(metric: Metric) -> str:
    """Key of the value by which models are ranked; a metric without this value, such as `pr_NAME`, ranks none."""
    key: str = getattr(metric, "ranking_key", metric.name)
    return key
