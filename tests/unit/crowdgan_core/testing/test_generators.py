"""The contract check of image generators detects every violation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from crowdgan_blobs.generator import BlobGenerator
from crowdgan_blobs.model import example_model

from crowdgan_core.errors import ConfigError
from crowdgan_core.testing import check_image_generator

SIZE = (24, 32)


class ChangedGenerator(BlobGenerator):
    """A generator with a violation: `change` receives the valid `generate` and its arguments."""

    def __init__(self, change: Callable[..., Any], label_kind: Any = "class") -> None:
        super().__init__(example_model(label_kind, SIZE))
        self._change = change

    def generate(self, seeds: Sequence[int], labels: Any, **options: Any) -> Any:
        return self._change(super().generate, seeds, labels, **options)


@pytest.mark.parametrize("label_kind", ["class", "value", None])
@pytest.mark.parametrize("size", [(24, 32), (32, 24)])
def test_a_valid_generator_passes(label_kind: Any, size: tuple[int, int]) -> None:
    check_image_generator(BlobGenerator(example_model(label_kind, size)))


def _refuses_transforms(valid: Any, seeds: Any, labels: Any, **options: Any) -> Any:
    if options.get("translate", (0, 0)) != (0, 0) or options.get("rotate_deg", 0) != 0:
        raise ConfigError("the model does not support transforms")
    return valid(seeds, labels, **options)


def _refuses_truncation(valid: Any, seeds: Any, labels: Any, **options: Any) -> Any:
    if options.get("truncation_psi", 1) != 1:
        raise ConfigError("the model has no mean latent")
    return valid(seeds, labels, **options)


def test_a_generator_without_transforms_or_truncation_passes() -> None:
    generator = ChangedGenerator(_refuses_transforms)
    generator.supports_transform = False
    check_image_generator(generator)
    check_image_generator(ChangedGenerator(_refuses_truncation))


def _depends_on_batch_size(valid: Any, seeds: Any, labels: Any, **options: Any) -> Any:
    return valid([seed % 1000 + len(seeds) for seed in seeds], labels, **options)


def _depends_on_call() -> Callable[..., Any]:
    calls: list[None] = []

    def change(valid: Any, seeds: Any, labels: Any, **options: Any) -> Any:
        calls.append(None)
        return valid([seed % 1000 + len(calls) for seed in seeds], labels, **options)

    return change


def _sorts_labels(valid: Any, seeds: Any, labels: Any, **options: Any) -> Any:
    images = valid(seeds, labels, **options)
    labels.sort(axis=0)
    return images


def _depends_on_memory_layout(valid: Any, seeds: Any, labels: Any, **options: Any) -> Any:
    if not labels.flags.c_contiguous:
        seeds = [seed % 1000 + 1 for seed in seeds]
    return valid(seeds, labels, **options)


def _uses_label_of_neighbour(valid: Any, seeds: Any, labels: Any, **options: Any) -> Any:
    has_one_seed = len(set(seeds)) == 1
    return valid(seeds, np.roll(labels, 1, axis=0) if has_one_seed else labels, **options)


def _translates_left(valid: Any, seeds: Any, labels: Any, **options: Any) -> Any:
    x, y = options.pop("translate", (0.0, 0.0))
    return valid(seeds, labels, translate=(-x, y), **options)


def _translates_up(valid: Any, seeds: Any, labels: Any, **options: Any) -> Any:
    x, y = options.pop("translate", (0.0, 0.0))
    return valid(seeds, labels, translate=(x, -y), **options)


def _ignores_rotation(valid: Any, seeds: Any, labels: Any, **options: Any) -> Any:
    return valid(seeds, labels, **{**options, "rotate_deg": 0.0})


def _uses_global_random_state(valid: Any, seeds: Any, labels: Any, **options: Any) -> Any:
    np.random.random()
    return valid(seeds, labels, **options)


def _accepts_invalid_labels(name: str) -> Callable[..., Any]:
    """Replaces one type of invalid labels by the first class."""

    def change(valid: Any, seeds: Any, labels: Any, **options: Any) -> Any:
        first_class = np.eye(3, dtype=np.float32)[[0] * len(seeds)]
        is_invalid = {
            "none": labels is None,
            "long": labels is not None and labels.ndim == 2 and labels.shape[1] > 3,
            "few": labels is not None and labels.ndim == 2 and len(labels) < len(seeds),
            "flat": labels is not None and labels.ndim == 1,
            "nan": labels is not None and np.isnan(labels).any(),
        }
        return valid(seeds, first_class if is_invalid[name] else labels, **options)

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda valid, *arguments, **options: valid(*arguments, **options).tolist(),
            "generate returned list, not an array",
        ),
        (
            lambda valid, *arguments, **options: valid(*arguments, **options).transpose(0, 3, 1, 2),
            "generate returned images of shape (4, 3, 24, 32), not (4, 24, 32, 3)",
        ),
        (
            lambda valid, *arguments, **options: valid(*arguments, **options) / np.float32(255),
            "generate returned float32, not uint8",
        ),
        (_depends_on_call(), "the same seeds and labels must give the same images again"),
        (_depends_on_batch_size, "seed 0 gives different images in batches of 1 and of 4"),
        (
            lambda valid, seeds, *arguments, **options: valid([0] * len(seeds), *arguments, **options),
            "different seeds must give",
        ),
        (_sorts_labels, "generate must not modify the labels"),
        (_depends_on_memory_layout, "labels of equal values must give equal images"),
        (_uses_label_of_neighbour, "an image must depend only on its own label"),
        (_accepts_invalid_labels("none"), "missing labels must raise ConfigError"),
        (_accepts_invalid_labels("long"), "labels that are too long must raise ConfigError"),
        (_accepts_invalid_labels("few"), "too few labels must raise ConfigError"),
        (_accepts_invalid_labels("flat"), "labels with one dimension must raise ConfigError"),
        (_accepts_invalid_labels("nan"), "labels that are not finite must raise ConfigError"),
        (
            lambda valid, *arguments, **options: (
                valid(*arguments, **{**options, "truncation_psi": 0.9}) if options else valid(*arguments)
            ),
            "truncation_psi 1 must change nothing",
        ),
        (
            lambda valid, *arguments, **options: valid(*arguments, **{**options, "truncation_psi": 1.0}),
            "truncation_psi 0 must give the same image for all seeds of a label",
        ),
        (
            lambda valid, *arguments, **options: valid(
                *arguments, **({**options, "rotate_deg": 9.0} if "translate" in options else options)
            ),
            "translate (0, 0) and rotate_deg 0 must change nothing",
        ),
        (_translates_left, "translate (0.125, 0.0) must move images right"),
        (_translates_up, "translate (0.0, 0.125) must move images down"),
        (_ignores_rotation, "rotate_deg 30 must rotate images"),
        (_uses_global_random_state, "numpy's global random state must not change"),
    ],
)
def test_each_violation_is_described(change: Callable[..., Any], message: str) -> None:
    with pytest.raises(AssertionError) as caught:
        check_image_generator(ChangedGenerator(change))
    assert message in str(caught.value)


def _ignores_label(valid: Any, seeds: Any, labels: Any, **options: Any) -> Any:
    return valid(seeds, labels * 0 + np.array([[1, 0, 0]], np.float32), **options)


def test_labels_without_effect_are_a_violation() -> None:
    with pytest.raises(AssertionError, match="a label must affect the image"):
        check_image_generator(ChangedGenerator(_ignores_label))


def test_a_model_without_labels_must_refuse_labels() -> None:
    generator = ChangedGenerator(lambda valid, seeds, labels, **options: valid(seeds, None, **options), None)
    with pytest.raises(AssertionError, match="labels for a model without labels must raise ConfigError"):
        check_image_generator(generator)


def test_a_generator_without_transforms_must_refuse_them() -> None:
    generator = ChangedGenerator(_ignores_rotation)
    generator.supports_transform = False
    with pytest.raises(
        AssertionError, match=r"supports_transform is False, so {'translate': \(0.125, 0.0\)} must raise"
    ):
        check_image_generator(generator)
