"""Label samplers: which real images are shown in a training step, and which labels generated images get.

Source of the vicinities of continuous labels: Ding et al., "CcGAN: Continuous Conditional Generative Adversarial
Networks for Image Generation", 2021, and "Continuous Conditional Generative Adversarial Networks: Novel Empirical
Losses and Label Input Mechanisms", 2022.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from crowdgan_core.errors import ConfigError
from crowdgan_core.utils.arrays import FloatArray, LabelArray
from crowdgan_stylegan3.training.config.training_config import ConditioningConfig, Vicinity
from crowdgan_stylegan3.training.data.labels import TrainingLabels

SILVERMAN_FACTOR, SILVERMAN_EXPONENT = 1.06, -1 / 5
"""Rule of thumb for the bandwidth of a Gaussian kernel: 1.06 · std · N^(-1/5) (Silverman 1986)."""

GAPS_PER_VICINITY = 2.0
"""Half width κ of the vicinity as a multiple of the largest gap between neighbouring labels (Ding et al. 2021)."""

MAX_GAP_RATIO = 5.0
"""Maximum ratio of that gap to the mean gap, so that one outlier does not widen the vicinity; ours."""

MIN_SOFT_WEIGHT = 1e-3
"""Weight below which images are outside a soft vicinity (Ding et al. 2021)."""


class LabelSampler(ABC):
    """Draws labels of generated images, and images with the labels for which D judges them."""

    description: str | None = None
    """The deviation from the distribution of the dataset, in one line; None without a deviation."""

    def __init__(self, vectors: LabelArray) -> None:
        """Prepares drawing.

        Args:
            vectors: labels of the dataset, `[num_images, label_dim]`.
        """
        self.vectors = torch.from_numpy(vectors)

    @abstractmethod
    def draw_labels(self, count: int, random: torch.Generator) -> Tensor:
        """Labels `[count, label_dim]` of images to generate."""

    def draw_label_pairs(self, count: int, random: torch.Generator) -> tuple[Tensor, Tensor]:
        """Labels `[count, label_dim]` of images to generate, and the labels for which D judges these images."""
        labels = self.draw_labels(count, random)
        return labels, labels

    @abstractmethod
    def draw_images(self, count: int, random: torch.Generator) -> tuple[Tensor, Tensor] | None:
        """Indices `[count]` of real images, and the labels `[count, label_dim]` for which D judges them.

        None stands for all images in random order, with their own labels.
        """


class DatasetLabelSampler(LabelSampler):
    """Labels are distributed as in the dataset."""

    def draw_labels(self, count: int, random: torch.Generator) -> Tensor:
        """Labels of images that are drawn uniformly."""
        return self.vectors[torch.randint(len(self.vectors), (count,), generator=random)]

    def draw_images(self, count: int, random: torch.Generator) -> None:
        """None: all images in random order."""
        return


class BalancedClassSampler(LabelSampler):
    """All classes that have images are equally frequent."""

    description = "all classes are shown equally often (--balance)"

    def __init__(self, vectors: LabelArray) -> None:
        super().__init__(vectors)
        class_of_image = self.vectors.argmax(dim=1)
        images_by_class = [torch.nonzero(class_of_image == index).flatten() for index in range(self.vectors.shape[1])]
        self._images_by_class = [images for images in images_by_class if len(images)]

    def draw_labels(self, count: int, random: torch.Generator) -> Tensor:
        """Labels of equally frequent classes."""
        return self.draw_images(count, random)[1]

    def draw_images(self, count: int, random: torch.Generator) -> tuple[Tensor, Tensor]:
        """Images of a random class each, with their own labels."""
        classes = torch.randint(len(self._images_by_class), (count,), generator=random).tolist()
        positions = torch.rand(count, generator=random, dtype=torch.float64).tolist()
        images = [self._images_by_class[index] for index in classes]
        indices = torch.stack(
            [of_class[int(at * len(of_class))] for of_class, at in zip(images, positions, strict=True)]
        )
        return indices, self.vectors[indices]


class VicinalSampler(LabelSampler):
    """D judges images for a target density, to which images of similar densities contribute.

    Labels are scaled to 0 to 1 (logarithmically if their encoding is logarithmic). A target is a random *distinct*
    label plus Gaussian noise, so that rare densities are as frequent as common ones. A real image is drawn from those
    in the vicinity of the target, and a generated image gets a label in the vicinity. A hard vicinity contains all
    labels with |label - target| ≤ κ with equal probability; in a soft vicinity the probability is proportional to
    exp(-ν·(label - target)²), ν = 1 / κ². Expected losses are those of Ding et al., where weights take the place of
    probabilities.

    Images of one group of D's minibatch standard deviation share a target, so that it measures how much images of one
    density vary. With a target per image, densities make up most of the variation, and generated images of one
    density become alike; ours.
    """

    def __init__(self, labels: TrainingLabels, vicinity: Vicinity, group_size: int = 1) -> None:
        """Prepares drawing.

        Args:
            labels: continuous labels of one number.
            vicinity: `hard` or `soft`.
            group_size: images with the same target; counts of draws are multiples of it.
        """
        super().__init__(labels.vectors)
        encoding = labels.encoding()
        assert encoding is not None, "labels are continuous"
        densities = labels.vectors[:, 0].astype(float)
        self._scale = LabelScale.fit(densities, is_log=encoding.is_log[0])
        scaled = self._scale.to_unit(densities)
        self._order = np.argsort(scaled, kind="stable")
        self._sorted = scaled[self._order]
        self._distinct = np.unique(scaled)
        self._is_soft, self._group_size = vicinity == "soft", group_size
        self.noise_std = SILVERMAN_FACTOR * float(scaled.std()) * len(scaled) ** SILVERMAN_EXPONENT
        self.half_width = GAPS_PER_VICINITY * largest_gap(self._distinct)
        scale = "logarithmic range" if encoding.is_log[0] else "range"
        self.description = (
            f"vicinity of densities: {vicinity}, κ {self.half_width:.2g}, noise {self.noise_std:.2g} of their {scale} "
            "(--vicinity)"
        )

    def draw_labels(self, count: int, random: torch.Generator) -> Tensor:
        """Targets."""
        return self._to_labels(self._draw_targets(count, random))

    def draw_label_pairs(self, count: int, random: torch.Generator) -> tuple[Tensor, Tensor]:
        """Labels in the vicinities of targets, and the targets."""
        targets = self._draw_targets(count, random)
        if self._is_soft:
            offsets = torch.randn(count, generator=random, dtype=torch.float64).numpy() * self.half_width / math.sqrt(2)
        else:
            offsets = (2 * torch.rand(count, generator=random, dtype=torch.float64).numpy() - 1) * self.half_width
        return self._to_labels(np.clip(targets + offsets, 0, 1)), self._to_labels(targets)

    def draw_images(self, count: int, random: torch.Generator) -> tuple[Tensor, Tensor]:
        """Images in the vicinities of targets, and the targets."""
        targets = self._draw_targets(count, random)
        draws = torch.rand(count, generator=random, dtype=torch.float64).numpy()
        positions = [self._draw_in_vicinity(target, draw) for target, draw in zip(targets, draws, strict=True)]
        return torch.from_numpy(self._order[positions]), self._to_labels(targets)

    def _draw_targets(self, count: int, random: torch.Generator) -> FloatArray:
        """Scaled targets `[count]`; a group consists of every (count / group_size)-th image, as in D."""
        num_groups = count // self._group_size
        distinct = self._distinct[torch.randint(len(self._distinct), (num_groups,), generator=random).numpy()]
        noise = torch.randn(num_groups, generator=random, dtype=torch.float64).numpy()
        return np.tile(np.clip(distinct + self.noise_std * noise, 0, 1), self._group_size)

    def _draw_in_vicinity(self, target: float, draw: float) -> int:
        """Position in the sorted labels of an image in the vicinity of a target; the nearest one if it has none.

        Args:
            target: scaled target.
            draw: random number from 0 to 1.
        """
        limit = self.half_width * (math.sqrt(-math.log(MIN_SOFT_WEIGHT)) if self._is_soft else 1)
        first, end = self._positions_between(target - limit, target + limit)
        if first == end:
            nearest = self._sorted[np.argmin(np.abs(self._sorted - target))]
            first, end = self._positions_between(nearest, nearest)
        if not self._is_soft:
            return int(first + int(draw * (end - first)))
        weights = np.exp(-(((self._sorted[first:end] - target) / self.half_width) ** 2))
        cumulative = weights.cumsum()
        return int(first + np.searchsorted(cumulative, draw * cumulative[-1], side="right"))

    def _positions_between(self, low: float, high: float) -> tuple[int, int]:
        """First and end position of the sorted labels from `low` to `high`, both included."""
        return int(np.searchsorted(self._sorted, low, side="left")), int(
            np.searchsorted(self._sorted, high, side="right")
        )

    def _to_labels(self, scaled: FloatArray) -> Tensor:
        """Labels `[count, 1]` of scaled values `[count]`."""
        return torch.from_numpy(self._scale.from_unit(scaled).astype(np.float32)[:, None])


@dataclass(frozen=True, kw_only=True)
class LabelScale:
    """Maps densities to 0 to 1, linearly or logarithmically."""

    low: float
    """The density, or its logarithm, that is mapped to 0."""
    high: float
    """The density, or its logarithm, that is mapped to 1."""
    is_log: bool

    @classmethod
    def fit(cls, values: FloatArray, *, is_log: bool) -> LabelScale:
        """The scale on which `values` range from 0 to 1."""
        low, high = float(values.min()), float(values.max())
        return cls(low=math.log(low) if is_log else low, high=math.log(high) if is_log else high, is_log=is_log)

    def to_unit(self, values: FloatArray) -> FloatArray:
        """Scaled values; 0 if all values of the dataset are equal."""
        span = self.high - self.low
        numbers = np.log(values) if self.is_log else values
        return np.asarray((numbers - self.low) / (span or 1.0))

    def from_unit(self, scaled: FloatArray) -> FloatArray:
        """Densities of scaled values."""
        numbers = self.low + scaled * (self.high - self.low)
        return np.asarray(np.exp(numbers) if self.is_log else numbers)


def largest_gap(distinct: FloatArray) -> float:
    """Largest gap between neighbouring values, at most `MAX_GAP_RATIO` mean gaps; 1 for a single value.

    Args:
        distinct: ascending values.
    """
    if len(distinct) < 2:
        return 1.0
    gaps = np.diff(distinct)
    return float(min(gaps.max(), MAX_GAP_RATIO * gaps.mean()))


def create_label_sampler(labels: TrainingLabels, config: ConditioningConfig) -> LabelSampler:
    """The label sampler of a config.

    Args:
        labels: labels of the dataset.
        config: config of the conditioning; see `check_conditioning`.
    """
    if config.vicinity != "none":
        return VicinalSampler(labels, config.vicinity, config.group_size)
    if config.balance_classes:
        return BalancedClassSampler(labels.vectors)
    return DatasetLabelSampler(labels.vectors)


def describe_conditioning(labels: TrainingLabels, config: ConditioningConfig) -> list[str]:
    """The use of the labels, a line each; none if it is the default without a vicinity."""
    lines = [create_label_sampler(labels, config).description]
    if config.transition_kimg is not None:
        start, end = config.transition_kimg
        lines.append(
            f"transition: unconditional until {start:g} kimg, fully conditional from {end:g} kimg (--transition)"
        )
    return [line for line in lines if line is not None]


def default_vicinity(labels: TrainingLabels) -> Vicinity:
    """`hard` for densities, that is, continuous labels of one number; otherwise `none`."""
    return "hard" if labels.kind == "value" and labels.dim == 1 else "none"


def check_conditioning(config: ConditioningConfig, labels: TrainingLabels) -> None:
    """Checks that the labels have the kind that the config requires.

    Raises:
        ConfigError: they do not; the message names the option.
    """
    found = {None: "no labels", "class": "classes", "value": f"vectors of {labels.dim} numbers"}[labels.kind]
    if config.vicinity != "none" and default_vicinity(labels) == "none":
        raise ConfigError(
            f"--vicinity {config.vicinity} requires a density per image as label (crowdgan label --label-kind value); "
            f"the dataset has {found}"
        )
    if config.balance_classes and labels.kind != "class":
        raise ConfigError(f"--balance requires classes as labels; the dataset has {found}")
    if config.transition_kimg is not None and labels.kind is None:
        raise ConfigError("--transition requires labels; the dataset has none, or --cond=false")
