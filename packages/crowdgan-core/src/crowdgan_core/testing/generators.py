"""Checks of an image generator: what the commands that make images rely on."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from crowdgan_core.errors import ConfigError
from crowdgan_core.models.backend import ImageGenerator
from crowdgan_core.models.card import ModelCard
from crowdgan_core.testing._require import require
from crowdgan_core.utils.arrays import ImageArray

SEEDS = (0, 3, 17, 2**32 - 1)
"""Seeds that are asked for."""

SHIFT = 0.125
"""By how much images are moved, in image widths."""

ROUNDING = 1
"""Grey levels by which an image may differ between batch sizes: sums in another order round otherwise."""

Labels = npt.NDArray[np.float32]


def check_image_generator(generator: ImageGenerator) -> None:
    """Checks a generator against the contract.

    Images have the shape of the card and are uint8; a seed gives the same image again, in every batch and next to
    any other, and another seed another one; labels have an effect, by their values alone, and are not changed; wrong
    labels are refused; truncation 0 gives all seeds the same image, or truncation is refused; an image moves right
    and down by `translate`, and turns, or both are refused; numpy's global random state is left alone.

    A model that was never trained will do, as long as its seeds and labels show.

    Args:
        generator: as the backend's `load_generator` returns it.

    Raises:
        AssertionError: it breaks the contract; the message says how.
    """
    require(isinstance(generator.card, ModelCard), f"card is {type(generator.card).__name__}, not a ModelCard")
    require(
        isinstance(generator.supports_transform, bool),
        f"supports_transform is {generator.supports_transform!r}; it must be True or False",
    )
    state = repr(np.random.get_state())
    labels = _example_labels(generator.card, len(SEEDS))
    given = None if labels is None else labels.copy()
    images = generator.generate(SEEDS, given)
    require(given is None or labels is None or np.array_equal(given, labels), "generate must not change the labels")
    _check_images(images, generator.card)
    _check_seeds(generator, images, labels)
    if labels is not None:
        _check_labels(generator, labels)
    _check_refused_labels(generator, labels)
    _check_truncation(generator, labels)
    _check_moves(generator, images, labels)
    require(repr(np.random.get_state()) == state, "numpy's global random state must not change")


def _example_labels(card: ModelCard, count: int) -> Labels | None:
    """Labels one by one, one-hot or 1, 2, ...; None for a model without."""
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


def _check_seeds(generator: ImageGenerator, images: ImageArray, labels: Labels | None) -> None:
    again = generator.generate(list(SEEDS), labels)
    require(np.array_equal(images, again), "the same seeds and labels must give the same images again")
    for index, seed in enumerate(SEEDS):
        alone = generator.generate([seed], None if labels is None else labels[index : index + 1])
        same = _difference(alone[0], images[index]) <= ROUNDING
        require(same, f"seed {seed} gives one image alone, and another in a batch of {len(SEEDS)}")
    one_label = None if labels is None else labels[[0] * len(SEEDS)]
    first, *others = generator.generate(SEEDS, one_label)
    different = all(_difference(first, other) > ROUNDING for other in others)
    require(different, "different seeds must give different images")


def _check_labels(generator: ImageGenerator, labels: Labels) -> None:
    seeds = [SEEDS[0]] * len(labels)
    images = generator.generate(seeds, labels)
    strided = np.repeat(labels, 2, axis=1)[:, ::2]
    same = np.array_equal(generator.generate(seeds, strided), images)
    require(same, "labels of equal values must give equal images, however they lie in memory")
    backwards = generator.generate(seeds, labels[::-1])[::-1]
    require(_difference(backwards, images) <= ROUNDING, "an image must depend on its own label alone")
    varied = len(np.unique(labels, axis=0)) < 2 or any(_difference(images[0], item) > ROUNDING for item in images)
    require(varied, "a label must make a difference to the image")


def _check_refused_labels(generator: ImageGenerator, labels: Labels | None) -> None:
    """Wrong labels, each with what is wrong with it."""
    if labels is None:
        wrong: dict[str, Labels | None] = {"labels of a model without": np.zeros((len(SEEDS), 1), np.float32)}
    else:
        wrong = {
            "no labels": None,
            "labels that are too long": np.hstack([labels, labels]),
            "too few labels": labels[1:],
            "labels without the dimension of images": labels[0],
            "labels that are not finite": np.full_like(labels, np.nan),
        }
    for what, given in wrong.items():
        require(_refuses(generator, given), f"{what} must raise ConfigError")


def _check_truncation(generator: ImageGenerator, labels: Labels | None) -> None:
    one_label = None if labels is None else labels[[0] * len(SEEDS)]
    whole = generator.generate(SEEDS, one_label)
    same = np.array_equal(generator.generate(SEEDS, one_label, truncation_psi=1.0), whole)
    require(same, "truncation_psi 1 must change nothing")
    if _refuses(generator, one_label, truncation_psi=0.0):
        return
    first, *others = generator.generate(SEEDS, one_label, truncation_psi=0.0)
    same = all(_difference(first, other) <= ROUNDING for other in others)
    require(same, "truncation_psi 0 must give all seeds of one label the same image, or raise ConfigError")


def _check_moves(generator: ImageGenerator, images: ImageArray, labels: Labels | None) -> None:
    moves: tuple[dict[str, Any], ...] = ({"translate": (SHIFT, 0.0)}, {"translate": (0.0, SHIFT)}, {"rotate_deg": 30.0})
    if not generator.supports_transform:
        for move in moves:
            require(
                _refuses(generator, labels, **move),
                f"supports_transform is False, so that {move} must raise ConfigError",
            )
        return
    still = generator.generate(SEEDS, labels, translate=(0.0, 0.0), rotate_deg=0.0)
    require(np.array_equal(still, images), "translate (0, 0) and rotate_deg 0 must change nothing")
    for axis, way, move in ((2, "right", moves[0]), (1, "down", moves[1])):
        moved = generator.generate(SEEDS, labels, **move)
        require(moved.shape == images.shape, f"{move} gives images of shape {moved.shape}, not {images.shape}")
        shift_px = max(1, round(SHIFT * images.shape[2]))
        found, opposite = (_mismatch(images, moved, axis, by) for by in (shift_px, -shift_px))
        require(found < opposite, f"translate {move['translate']} must move images {way}")
    turned = generator.generate(SEEDS, labels, **moves[2])
    require(_difference(turned, images) > ROUNDING, "rotate_deg 30 must turn images")


def _refuses(generator: ImageGenerator, labels: Labels | None, **move: Any) -> bool:
    try:
        generator.generate(SEEDS, labels, **move)
    except ConfigError:
        return True
    return False


def _difference(one: ImageArray, other: ImageArray) -> int:
    """Largest difference of two arrays of pixels, in grey levels."""
    return int(np.abs(one.astype(int) - other).max())


def _mismatch(before: ImageArray, after: ImageArray, axis: int, shift_px: int) -> float:
    """Mean difference between what both images show, if the content went `shift_px` along the axis."""
    count = before.shape[axis] - abs(shift_px)
    starts = (max(0, -shift_px), max(0, shift_px))
    shown, found = (
        np.take(item, np.arange(start, start + count), axis).astype(float)
        for item, start in zip((before, after), starts, strict=True)
    )
    return float(np.abs(shown - found).mean())
