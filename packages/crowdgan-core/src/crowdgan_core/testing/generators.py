"""Contract check of an image generator."""

from __future__ import annotations

from typing import Any

import numpy as np

from crowdgan_core.errors import ConfigError
from crowdgan_core.models.backend import ImageGenerator
from crowdgan_core.models.card import ModelCard
from crowdgan_core.testing._require import plugin_errors_fail, require
from crowdgan_core.utils.arrays import ImageArray, LabelArray

SEEDS = (0, 3, 17, 2**32 - 1)
"""Seeds of the checks."""

TRANSLATION = 0.125
"""Translation of the checks, in image widths."""

ROTATION_DEG = 30.0
"""Rotation of the checks."""

MAX_ROUNDING_DIFFERENCE = 1
"""Maximum difference in grey levels between batch sizes, since sums in another order round differently."""


@plugin_errors_fail()
def check_image_generator(generator: ImageGenerator) -> None:
    """Checks an image generator against the contract.

    - Images have the size of the card and type uint8.
    - A seed gives the same image again, in every batch; different seeds give different images.
    - A label affects its own image only, by its values, and is not modified; invalid labels raise ConfigError.
    - With truncation 0 all seeds of a label give the same image, or truncation raises ConfigError.
    - `translate` moves the image right and down and `rotate_deg` rotates it, or both raise ConfigError.
    - numpy's global random state does not change.

    An untrained model is sufficient if its seeds and labels affect the images.

    Args:
        generator: as returned by the backend's `load_generator`.

    Raises:
        AssertionError: the generator violates the contract; the message describes how.
    """
    require(isinstance(generator.card, ModelCard), f"card is {type(generator.card).__name__}, not a ModelCard")
    require(
        isinstance(generator.supports_transform, bool),
        f"supports_transform is {generator.supports_transform!r}; it must be True or False",
    )
    state = repr(np.random.get_state())
    labels = example_labels(generator.card, len(SEEDS))
    passed = None if labels is None else labels.copy()
    images = generator.generate(SEEDS, passed)
    require(passed is None or labels is None or np.array_equal(passed, labels), "generate must not modify the labels")
    _check_images(images, generator.card)
    _check_seeds(generator, images, labels)
    if labels is not None:
        _check_labels(generator, labels)
    _check_invalid_labels(generator, labels)
    _check_truncation(generator, labels)
    _check_transforms(generator, images, labels)
    require(repr(np.random.get_state()) == state, "numpy's global random state must not change")


def example_labels(card: ModelCard, count: int) -> LabelArray | None:
    """Labels `[count, label_dim]`: one-hot, or 1, 2, …; None for a model without labels."""
    if card.label_dim == 0:
        return None
    if card.label_kind == "value":
        return np.arange(1, 1 + count * card.label_dim, dtype=np.float32).reshape(count, card.label_dim)
    return np.eye(card.label_dim, dtype=np.float32)[np.arange(count) % card.label_dim]


def _check_images(images: Any, card: ModelCard) -> None:
    require(isinstance(images, np.ndarray), f"generate returned {type(images).__name__}, not an array")
    shape = (len(SEEDS), *card.resolution, 3)
    require(images.shape == shape, f"generate returned images of shape {images.shape}, not {shape}")
    require(images.dtype == np.uint8, f"generate returned {images.dtype}, not uint8")


def _check_seeds(generator: ImageGenerator, images: ImageArray, labels: LabelArray | None) -> None:
    repeated = generator.generate(list(SEEDS), labels)
    require(np.array_equal(images, repeated), "the same seeds and labels must give the same images again")
    for index, seed in enumerate(SEEDS):
        single = generator.generate([seed], None if labels is None else labels[index : index + 1])
        is_same = _difference(single[0], images[index]) <= MAX_ROUNDING_DIFFERENCE
        require(is_same, f"seed {seed} gives different images in batches of 1 and of {len(SEEDS)}")
    first, *others = generator.generate(SEEDS, _repeat_first(labels))
    is_different = all(_difference(first, other) > MAX_ROUNDING_DIFFERENCE for other in others)
    require(is_different, "different seeds must give different images")


def _check_labels(generator: ImageGenerator, labels: LabelArray) -> None:
    seeds = [SEEDS[0]] * len(labels)
    images = generator.generate(seeds, labels)
    strided = np.repeat(labels, 2, axis=1)[:, ::2]
    is_same = np.array_equal(generator.generate(seeds, strided), images)
    require(is_same, "labels of equal values must give equal images, regardless of memory layout")
    reordered = generator.generate(seeds, labels[::-1])[::-1]
    require(_difference(reordered, images) <= MAX_ROUNDING_DIFFERENCE, "an image must depend only on its own label")
    is_varied = len(np.unique(labels, axis=0)) < 2 or any(
        _difference(images[0], image) > MAX_ROUNDING_DIFFERENCE for image in images
    )
    require(is_varied, "a label must affect the image")


def _check_invalid_labels(generator: ImageGenerator, labels: LabelArray | None) -> None:
    if labels is None:
        invalid: dict[str, LabelArray | None] = {"labels for a model without labels": np.zeros((len(SEEDS), 1), "f4")}
    else:
        invalid = {
            "missing labels": None,
            "labels that are too long": np.hstack([labels, labels]),
            "too few labels": labels[1:],
            "labels with one dimension": labels[0],
            "labels that are not finite": np.full_like(labels, np.nan),
        }
    for description, passed in invalid.items():
        require(_raises_config_error(generator, passed), f"{description} must raise ConfigError")


def _check_truncation(generator: ImageGenerator, labels: LabelArray | None) -> None:
    label = _repeat_first(labels)
    images = generator.generate(SEEDS, label)
    is_same = np.array_equal(generator.generate(SEEDS, label, truncation_psi=1.0), images)
    require(is_same, "truncation_psi 1 must change nothing")
    if _raises_config_error(generator, label, truncation_psi=0.0):
        return
    first, *others = generator.generate(SEEDS, label, truncation_psi=0.0)
    is_same = all(_difference(first, other) <= MAX_ROUNDING_DIFFERENCE for other in others)
    require(is_same, "truncation_psi 0 must give the same image for all seeds of a label, or raise ConfigError")


def _check_transforms(generator: ImageGenerator, images: ImageArray, labels: LabelArray | None) -> None:
    right, down, rotation = (
        {"translate": (TRANSLATION, 0.0)},
        {"translate": (0.0, TRANSLATION)},
        {"rotate_deg": ROTATION_DEG},
    )
    if not generator.supports_transform:
        for transform in (right, down, rotation):
            is_refused = _raises_config_error(generator, labels, **transform)
            require(is_refused, f"supports_transform is False, so {transform} must raise ConfigError")
        return
    unchanged = generator.generate(SEEDS, labels, translate=(0.0, 0.0), rotate_deg=0.0)
    require(np.array_equal(unchanged, images), "translate (0, 0) and rotate_deg 0 must change nothing")
    for axis, direction, transform in ((2, "right", right), (1, "down", down)):
        translated = generator.generate(SEEDS, labels, translate=transform["translate"])
        shapes = f"images of shape {translated.shape}, not {images.shape}"
        require(translated.shape == images.shape, f"{transform} gives {shapes}")
        shift_px = max(1, round(TRANSLATION * images.shape[2]))
        error, opposite_error = (_shift_error(images, translated, axis, shift) for shift in (shift_px, -shift_px))
        require(error < opposite_error, f"translate {transform['translate']} must move images {direction}")
    rotated = generator.generate(SEEDS, labels, rotate_deg=ROTATION_DEG)
    require(_difference(rotated, images) > MAX_ROUNDING_DIFFERENCE, f"rotate_deg {ROTATION_DEG:g} must rotate images")


def _repeat_first(labels: LabelArray | None) -> LabelArray | None:
    """The first label for every seed."""
    return None if labels is None else labels[[0] * len(SEEDS)]


def _raises_config_error(generator: ImageGenerator, labels: LabelArray | None, **options: Any) -> bool:
    try:
        generator.generate(SEEDS, labels, **options)
    except ConfigError:
        return True
    return False


def _difference(a: ImageArray, b: ImageArray) -> int:
    """Maximum absolute difference of two image arrays, in grey levels."""
    return int(np.abs(a.astype(int) - b).max())


def _shift_error(before: ImageArray, after: ImageArray, axis: int, shift_px: int) -> float:
    """Mean absolute difference in the overlap of two image arrays, if the content moved `shift_px` along the axis."""
    count = before.shape[axis] - abs(shift_px)
    starts = (max(0, -shift_px), max(0, shift_px))
    overlap_before, overlap_after = (
        np.take(image, np.arange(start, start + count), axis).astype(float)
        for image, start in zip((before, after), starts, strict=True)
    )
    return float(np.abs(overlap_before - overlap_after).mean())
