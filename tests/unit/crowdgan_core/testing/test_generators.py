"""The check that authors of model backends run finds each breach of the contract."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from crowdgan_blobs.generator import BlobGenerator
from crowdgan_blobs.model import made_up_model

from crowdgan_core.errors import ConfigError
from crowdgan_core.testing import check_image_generator

SIZE = (24, 32)


class Changed(BlobGenerator):
    """Blobs, with a breach: `change` gets the good `generate` and what it is called with."""

    def __init__(self, change: Callable[..., Any], label_kind: Any = "class") -> None:
        super().__init__(made_up_model(label_kind, SIZE))
        self._change = change

    def generate(self, seeds: Sequence[int], labels: Any, **view: Any) -> Any:
        return self._change(super().generate, seeds, labels, **view)


@pytest.mark.parametrize("label_kind", ["class", "value", None])
@pytest.mark.parametrize("size", [(24, 32), (32, 24)])
def test_a_good_generator_passes(label_kind: Any, size: tuple[int, int]) -> None:
    check_image_generator(BlobGenerator(made_up_model(label_kind, size)))


def _still(good: Any, seeds: Any, labels: Any, **view: Any) -> Any:
    if view.get("translate", (0, 0)) != (0, 0) or view.get("rotate_deg", 0) != 0:
        raise ConfigError("it cannot be moved")
    return good(seeds, labels, **view)


def _untruncated(good: Any, seeds: Any, labels: Any, **view: Any) -> Any:
    if view.get("truncation_psi", 1) != 1:
        raise ConfigError("it has no mean latent")
    return good(seeds, labels, **view)


def test_a_generator_that_refuses_to_move_or_to_truncate_passes() -> None:
    still = Changed(_still)
    still.supports_transform = False
    check_image_generator(still)
    check_image_generator(Changed(_untruncated))


def _by_batch(good: Any, seeds: Any, labels: Any, **view: Any) -> Any:
    return good([seed % 1000 + len(seeds) for seed in seeds], labels, **view)


def _counter() -> Callable[..., Any]:
    calls: list[None] = []

    def change(good: Any, seeds: Any, labels: Any, **view: Any) -> Any:
        calls.append(None)
        return good([seed % 1000 + len(calls) for seed in seeds], labels, **view)

    return change


def _sorts_labels(good: Any, seeds: Any, labels: Any, **view: Any) -> Any:
    images = good(seeds, labels, **view)
    labels.sort(axis=0)
    return images


def _reads_memory(good: Any, seeds: Any, labels: Any, **view: Any) -> Any:
    if not labels.flags.c_contiguous:
        seeds = [seed % 1000 + 1 for seed in seeds]
    return good(seeds, labels, **view)


def _by_neighbour(good: Any, seeds: Any, labels: Any, **view: Any) -> Any:
    mixed = len(set(seeds)) == 1
    return good(seeds, np.roll(labels, 1, axis=0) if mixed else labels, **view)


def _left(good: Any, seeds: Any, labels: Any, **view: Any) -> Any:
    x, y = view.pop("translate", (0.0, 0.0))
    return good(seeds, labels, translate=(-x, y), **view)


def _up(good: Any, seeds: Any, labels: Any, **view: Any) -> Any:
    x, y = view.pop("translate", (0.0, 0.0))
    return good(seeds, labels, translate=(x, -y), **view)


def _unturned(good: Any, seeds: Any, labels: Any, **view: Any) -> Any:
    return good(seeds, labels, **{**view, "rotate_deg": 0.0})


def _global_random(good: Any, seeds: Any, labels: Any, **view: Any) -> Any:
    np.random.random()
    return good(seeds, labels, **view)


def _forgiving(name: str) -> Callable[..., Any]:
    """Takes one kind of wrong labels for all first."""

    def change(good: Any, seeds: Any, labels: Any, **view: Any) -> Any:
        firsts = np.eye(3, dtype=np.float32)[[0] * len(seeds)]
        wrong = {
            "none": labels is None,
            "long": labels is not None and labels.ndim == 2 and labels.shape[1] > 3,
            "few": labels is not None and labels.ndim == 2 and len(labels) < len(seeds),
            "flat": labels is not None and labels.ndim == 1,
            "nan": labels is not None and np.isnan(labels).any(),
        }
        return good(seeds, firsts if wrong[name] else labels, **view)

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda good, *given, **view: good(*given, **view).tolist(), "generate returned list, not an array"),
        (
            lambda good, *given, **view: good(*given, **view).transpose(0, 3, 1, 2),
            "generate returned images of shape (4, 3, 24, 32), not (4, 24, 32, 3)",
        ),
        (lambda good, *given, **view: good(*given, **view) / np.float32(255), "generate returned float32, not uint8"),
        (_counter(), "the same seeds and labels must give the same images again"),
        (_by_batch, "seed 0 gives one image alone, and another in a batch of 4"),
        (lambda good, seeds, *given, **view: good([0] * len(seeds), *given, **view), "different seeds must give"),
        (_sorts_labels, "generate must not change the labels"),
        (_reads_memory, "labels of equal values must give equal images"),
        (_by_neighbour, "an image must depend on its own label alone"),
        (_forgiving("none"), "no labels must raise ConfigError"),
        (_forgiving("long"), "labels that are too long must raise ConfigError"),
        (_forgiving("few"), "too few labels must raise ConfigError"),
        (_forgiving("flat"), "labels without the dimension of images must raise ConfigError"),
        (_forgiving("nan"), "labels that are not finite must raise ConfigError"),
        (
            lambda good, *given, **view: good(*given, **{**view, "truncation_psi": 0.9}) if view else good(*given),
            "truncation_psi 1 must change nothing",
        ),
        (
            lambda good, *given, **view: good(*given, **{**view, "truncation_psi": 1.0}),
            "truncation_psi 0 must give all seeds of one label the same image",
        ),
        (
            lambda good, *given, **view: good(*given, **({**view, "rotate_deg": 9.0} if "translate" in view else view)),
            "translate (0, 0) and rotate_deg 0 must change nothing",
        ),
        (_left, "translate (0.125, 0.0) must move images right"),
        (_up, "translate (0.0, 0.125) must move images down"),
        (_unturned, "rotate_deg 30 must turn images"),
        (_global_random, "numpy's global random state must not change"),
    ],
)
def test_each_breach_is_named(change: Callable[..., Any], message: str) -> None:
    with pytest.raises(AssertionError) as caught:
        check_image_generator(Changed(change))
    assert message in str(caught.value)


def _blind(good: Any, seeds: Any, labels: Any, **view: Any) -> Any:
    return good(seeds, labels * 0 + np.array([[1, 0, 0]], np.float32), **view)


def test_labels_without_effect_are_a_breach() -> None:
    with pytest.raises(AssertionError, match="a label must make a difference to the image"):
        check_image_generator(Changed(_blind))


def test_labels_of_a_model_without_labels_must_be_refused() -> None:
    generator = Changed(lambda good, seeds, labels, **view: good(seeds, None, **view), None)
    with pytest.raises(AssertionError, match="labels of a model without must raise ConfigError"):
        check_image_generator(generator)


def test_a_generator_that_cannot_move_must_say_so() -> None:
    generator = Changed(_unturned)
    generator.supports_transform = False
    with pytest.raises(
        AssertionError, match=r"supports_transform is False, so that {'translate': \(0.125, 0.0\)} must raise"
    ):
        check_image_generator(generator)
