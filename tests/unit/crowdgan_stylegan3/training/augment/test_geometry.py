"""Augmentations: probabilities, strengths, exactness and seeds; recorded numbers are in `tests/golden`."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from crowdgan_core.errors import ConfigError
from crowdgan_stylegan3.training.augment import AUGMENT_PRESETS, AugmentPipe, AugmentPreset, augment_preset
from crowdgan_stylegan3.training.augment.augment_config import MULTIPLIERS
from crowdgan_stylegan3.training.augment.draws import Draws
from crowdgan_stylegan3.training.augment.geometry import geometric_transforms
from crowdgan_stylegan3.training.augment.sampling import reflect_pad
from crowdgan_stylegan3.training.augment.warping import warp_images
from crowdgan_stylegan3.training.augment.wavelets import SYM2, SYM6, band_filters, lowpass

ALL_AUGMENTATIONS: AugmentPreset = "bgcfnc"


def seeded_generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def smooth_images(count: int = 1, side: int = 32, channels: int = 3) -> Tensor:
    """Low-frequency waves, which the filters pass almost unchanged; each channel and image has a different one."""
    positions = (torch.arange(side) + 0.5) / side
    waves = torch.arange(1, count * channels + 1).view(count, channels, 1, 1)
    return torch.sin(2 * positions[:, None] + waves) * torch.cos(3 * positions + waves**2)


def set_p(pipe: AugmentPipe, p: float) -> AugmentPipe:
    """Sets the probability of a pipe; returns the pipe."""
    pipe.p = p
    return pipe


def changed_fraction(images: Tensor, augmented: Tensor) -> float:
    """Fraction of images with a changed pixel."""
    return (images != augmented).flatten(1).any(dim=1).float().mean().item()


@pytest.mark.parametrize("preset", AUGMENT_PRESETS)
@pytest.mark.parametrize("channels", [1, 3])
def test_presets_keep_the_shape_and_change_images(
    preset: AugmentPreset, channels: int, ops_implementation: str
) -> None:
    images = torch.rand(4, channels, 24, 40) * 2 - 1
    augmented = AugmentPipe(augment_preset(preset))(images, generator=seeded_generator())
    assert augmented.shape == images.shape
    assert augmented.dtype == images.dtype
    assert augmented.isfinite().all()
    assert changed_fraction(images, augmented) > 0


def test_presets_combine_the_stages_of_their_letters() -> None:
    stages = [("blit", "b"), ("geom", "g"), ("color", "c"), ("filter", "f"), ("noise", "n"), ("cutout", "c")]
    multipliers = {
        name: {field for field in MULTIPLIERS if getattr(augment_preset(name), field)} for name in AUGMENT_PRESETS
    }
    for count in range(2, 7):
        letters: Any = "".join(letter for _, letter in stages[:count])
        assert multipliers[letters] == set().union(*(multipliers[stage] for stage, _ in stages[:count]))  # type: ignore[index]
    assert multipliers[ALL_AUGMENTATIONS] == set(MULTIPLIERS)
    with pytest.raises(ConfigError, match="augpipe is all; it must be one of blit, geom, color, filter"):
        augment_preset("all")  # type: ignore[arg-type]


def test_without_augmentations_the_same_tensor_is_returned() -> None:
    images = torch.randn(3, 3, 16, 16)
    assert set_p(AugmentPipe(augment_preset(ALL_AUGMENTATIONS)), 0.0)(images) is images
    assert set_p(AugmentPipe(augment_preset(ALL_AUGMENTATIONS)), 0.0)(images, 0.7) is images
    assert AugmentPipe()(images, 0.7) is images
    assert AugmentPipe(augment_preset(ALL_AUGMENTATIONS))(images[:0]).shape == (0, 3, 16, 16)


def test_with_probability_0_no_random_numbers_are_drawn() -> None:
    generator = seeded_generator()
    before = generator.get_state()
    set_p(AugmentPipe(augment_preset(ALL_AUGMENTATIONS)), 0.0)(torch.zeros(3, 3, 16, 16), generator=generator)
    assert torch.equal(generator.get_state(), before)


CHANGED_FRACTIONS = {
    "xflip": 0.5,  # half of the draws flip nothing
    "rotate90": 0.75,
    "xint": 1 - 1 / 4**2,  # by -2 to 2 of 16 pixels: along an axis, a quarter of the draws are 0
    "scale": 1.0,
    "rotate": 1.0,
    "aniso": 1.0,
    "xfrac": 1.0,
    "brightness": 1.0,
    "contrast": 1.0,
    "lumaflip": 0.5,
    "hue": 1.0,
    "saturation": 1.0,
    "noise": 1.0,
    "cutout": 1.0,
}


@pytest.mark.parametrize("p", [0.3, 1.0])
@pytest.mark.parametrize("name", CHANGED_FRACTIONS)
def test_each_augmentation_changes_the_expected_fraction_of_images(name: str, p: float) -> None:
    count = 600
    images = torch.rand(count, 3, 16, 16) + 0.1
    augmented = set_p(AugmentPipe(**{name: 1.0}), p)(images, generator=seeded_generator())
    expected = CHANGED_FRACTIONS[name] * p
    deviation = math.sqrt(expected * (1 - expected) / count)
    assert changed_fraction(images, augmented) == pytest.approx(expected, abs=4 * deviation + 0.01)


def test_a_multiplier_scales_the_probability() -> None:
    images = torch.rand(1000, 1, 8, 8)
    augmented = set_p(AugmentPipe(brightness=0.5), 0.4)(images, generator=seeded_generator())
    assert changed_fraction(images, augmented) == pytest.approx(0.2, abs=4 * math.sqrt(0.2 * 0.8 / 1000))
    certain = set_p(AugmentPipe(brightness=5.0), 0.4)(images, generator=seeded_generator())
    assert changed_fraction(images, certain) == 1


def test_each_band_is_filtered_with_the_probability_of_the_band() -> None:
    images = torch.rand(1000, 1, 16, 16)
    augmented = set_p(AugmentPipe(imgfilter=1, imgfilter_bands=[1, 0, 0.5, 0]), 0.4)(
        images, generator=seeded_generator()
    )
    expected = 1 - 0.6 * 0.8
    assert changed_fraction(images, augmented) == pytest.approx(
        expected, abs=4 * math.sqrt(expected * (1 - expected) / 1000)
    )


def test_images_without_a_transform_are_unchanged() -> None:
    images = torch.randn(20, 3, 16, 16)
    augmented = set_p(AugmentPipe(rotate=1, scale=1), 0.3)(images, generator=seeded_generator())
    same = (images == augmented).flatten(1).all(dim=1)
    assert 0 < same.sum() < 20


@pytest.mark.parametrize(
    ("options", "percentile", "expected"),
    [
        ({"xflip": 1}, 0.3, lambda x: x),
        ({"xflip": 1}, 0.7, lambda x: x.flip(3)),
        ({"rotate90": 1}, 0.1, lambda x: x),
        ({"rotate90": 1}, 0.3, lambda x: x.rot90(1, (2, 3))),
        ({"rotate90": 1}, 0.6, lambda x: x.rot90(2, (2, 3))),
        ({"rotate90": 1}, 0.9, lambda x: x.rot90(3, (2, 3))),
        ({"rotate": 1, "rotate_max": 0.5}, 0.5, lambda x: x),
    ],
)
def test_flipped_and_rotated_images_are_exact_up_to_the_filters(
    options: dict[str, float], percentile: float, expected: Callable[[Tensor], Tensor]
) -> None:
    """The published wavelet is not quite symmetric: the error is small for smooth images, larger for white noise."""
    for images, tolerance in ((smooth_images(), 0.015), (torch.randn(1, 3, 32, 32), 0.25)):
        augmented = AugmentPipe(**options)(images, percentile)
        assert (augmented - expected(images)).std() < tolerance * images.std()


@pytest.mark.parametrize(("percentile", "pixels"), [(0.05, -4), (0.3, -2), (0.5, 0), (0.95, 4)])
def test_translations_by_integer_pixels_are_exact(percentile: float, pixels: int) -> None:
    images = torch.randn(2, 3, 32, 32)
    translated = AugmentPipe(xint=1)(images, percentile)  # 0.125 of 32 pixels times 2 · percentile - 1, rounded
    torch.testing.assert_close(translated, translate_with_reflection(images, pixels), rtol=0, atol=5e-5)


def translate_with_reflection(images: Tensor, pixels: int) -> Tensor:
    """Images of 32 pixels per side, translated along both axes, with reflection padding."""
    positions = (torch.arange(32) - pixels).abs()
    positions = 31 - (31 - positions).abs()
    return images[:, :, positions][:, :, :, positions]


def test_translations_of_a_rectangular_image_are_fractions_of_each_side() -> None:
    images = torch.randn(1, 3, 16, 64)
    translated = AugmentPipe(xint=1, xint_max=0.25)(images, 1 - 1e-9)
    torch.testing.assert_close(translated[..., 4:, 16:], images[..., :-4, :-16], rtol=0, atol=5e-5)


def test_noise_has_the_drawn_standard_deviation() -> None:
    images = torch.zeros(400, 3, 32, 32)
    noisy = AugmentPipe(noise=1, noise_std=0.2)(images, generator=seeded_generator())
    deviations = noisy.flatten(1).std(dim=1)
    assert deviations.square().mean().sqrt() == pytest.approx(0.2, rel=0.15)  # root mean square of a half-normal draw
    assert deviations.mean() == pytest.approx(0.2 * math.sqrt(2 / math.pi), rel=0.15)
    assert noisy.mean() == pytest.approx(0, abs=0.002)
    assert not torch.equal(noisy[0, 0] / deviations[0], noisy[1, 0] / deviations[1])


@pytest.mark.parametrize(("size", "expected"), [(0.5, 1 / 4), (0.25, 1 / 16), (1.0, 1.0)])
def test_cutout_sets_a_rectangle_of_the_given_size_to_zero(size: float, expected: float) -> None:
    images = torch.ones(3, 3, 32, 64)
    with_cutout = AugmentPipe(cutout=1, cutout_size=size)(images, 0.5)
    assert (with_cutout == 0).float().mean() == pytest.approx(expected)
    assert with_cutout.unique().tolist() in ([0, 1], [0])
    at_corner = AugmentPipe(cutout=1, cutout_size=size)(images, 1e-9)
    assert (at_corner == 0).float().mean() == pytest.approx(expected / 4)


def test_colour_augmentations_match_their_definitions() -> None:
    images = torch.rand(2, 3, 16, 16)
    grey = images.mean(dim=1, keepdim=True)
    flipped = AugmentPipe(lumaflip=1)(images, 0.7)
    torch.testing.assert_close(flipped, images - 2 * grey)
    rotated_hue = AugmentPipe(hue=1)(images, 0.9)
    torch.testing.assert_close(rotated_hue.mean(dim=1, keepdim=True), grey)
    torch.testing.assert_close((rotated_hue - grey).norm(dim=1), (images - grey).norm(dim=1))
    permuted = AugmentPipe(hue=1, hue_max=2 / 3)(images, 1 - 1e-9)  # a rotation by 120 degrees permutes the channels
    torch.testing.assert_close(permuted, images.roll(1, dims=1), rtol=0, atol=1e-6)
    desaturated = AugmentPipe(saturation=1, saturation_std=100)(images, 0.1)
    torch.testing.assert_close(desaturated, grey.expand_as(desaturated))
    brighter = AugmentPipe(brightness=1)(images, 0.9) - images
    assert brighter.std() < 1e-6
    assert brighter.mean() > 0.1
    ratio = AugmentPipe(contrast=1)(images, 0.9) / images
    assert ratio.std() < 1e-6
    assert ratio.mean() > 1.3


@pytest.mark.parametrize("percentile", [0.2, 0.9])
def test_grey_images_equal_the_mean_of_three_equal_channels(percentile: float) -> None:
    grey = torch.rand(2, 1, 16, 16)
    pipe = AugmentPipe(augment_preset("color"))
    expected = pipe(grey.expand(-1, 3, -1, -1), percentile).mean(dim=1, keepdim=True)
    torch.testing.assert_close(pipe(grey, percentile), expected)
    for name in ("hue", "saturation"):
        torch.testing.assert_close(AugmentPipe(**{name: 1})(grey, percentile), grey)


def test_bands_sum_to_the_identity_and_lie_in_their_octaves() -> None:
    bands = band_filters(SYM2, 4)
    identity = torch.zeros(bands.shape[1], dtype=torch.float64)
    identity[len(identity) // 2] = 1
    torch.testing.assert_close(bands.sum(dim=0), identity)
    power = torch.fft.rfft(bands, n=1024).abs().square()
    mean_frequencies = (power * torch.arange(513)).sum(dim=1) / power.sum(dim=1)
    for band, (low, high) in enumerate([(0, 64), (64, 128), (128, 256), (256, 512)]):
        assert low < mean_frequencies[band] < high
    torch.testing.assert_close(bands, bands.flip(1))


@pytest.mark.parametrize(("taps", "moments"), [(SYM2, 2), (SYM6, 6)])
def test_wavelets_are_orthogonal_and_have_vanishing_moments(taps: tuple[float, ...], moments: int) -> None:
    values = torch.tensor(taps, dtype=torch.float64)
    for shift in range(0, len(taps), 2):
        product = (values[shift:] * values[: len(taps) - shift]).sum().item()
        assert product == pytest.approx(1.0 if shift == 0 else 0.0, abs=1e-10)
    signs = (-1.0) ** torch.arange(len(taps))
    for power in range(moments):
        moment = (values * signs * (torch.arange(len(taps), dtype=torch.float64) / len(taps)) ** power).sum().item()
        assert moment == pytest.approx(0, abs=1e-9)


def test_band_filters_preserve_the_power_of_natural_images() -> None:
    spectrum = 1 / torch.fft.fftfreq(64).abs().clamp(min=1 / 64)
    images = torch.fft.ifft2(torch.fft.fft2(torch.randn(300, 1, 64, 64)) * (spectrum * spectrum[:, None]).sqrt()).real
    images = images - images.mean(dim=(2, 3), keepdim=True)
    filtered = AugmentPipe(imgfilter=1)(images, generator=seeded_generator())
    ratios = filtered.square().mean(dim=(1, 2, 3)) / images.square().mean(dim=(1, 2, 3))
    assert 0.5 < ratios.log().mean().exp() < 2
    assert ratios.std() > 0.05


@pytest.mark.parametrize("preset", ["bgc", ALL_AUGMENTATIONS])
def test_a_seed_is_reproducible_and_does_not_change_the_global_random_state(preset: AugmentPreset) -> None:
    images = torch.randn(4, 3, 16, 16)
    pipe, generator = AugmentPipe(augment_preset(preset)), seeded_generator(7)
    before = torch.get_rng_state()
    first, second = pipe(images, generator=generator), pipe(images, generator=generator)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(first, pipe(images, generator=seeded_generator(7)))
    assert not torch.equal(first, second)
    torch.manual_seed(3)
    default_random = pipe(images)
    torch.manual_seed(3)
    assert torch.equal(default_random, pipe(images))


def test_a_restored_generator_continues_exactly() -> None:
    images = torch.randn(4, 3, 16, 16)
    pipe, generator = AugmentPipe(augment_preset(ALL_AUGMENTATIONS)), seeded_generator()
    pipe(images, generator=generator)
    state = generator.get_state()
    expected = pipe(images, generator=generator)
    resumed = torch.Generator()
    resumed.set_state(state)
    assert torch.equal(pipe(images, generator=resumed), expected)


def test_every_image_has_independent_draws() -> None:
    images = torch.randn(1, 3, 16, 16).repeat(6, 1, 1, 1)
    augmented = AugmentPipe(augment_preset("geom"))(images, generator=seeded_generator())
    differences = (augmented[:, None] - augmented).abs().amax(dim=(2, 3, 4))
    assert (differences + torch.eye(6) > 0.01).all()


def test_an_image_does_not_depend_on_other_images_of_the_batch(ops_implementation: str) -> None:
    images = torch.randn(20, 3, 32, 48)
    draws = Draws(count=20, p=1.0, generator=seeded_generator())
    inverse = geometric_transforms(augment_preset("bg"), draws, (32, 48))
    alone = torch.cat([warp_images(images[n : n + 1], inverse[n : n + 1], lowpass(SYM6)) for n in range(20)])
    torch.testing.assert_close(warp_images(images, inverse, lowpass(SYM6)), alone, rtol=0, atol=1e-4)


def test_reflection_padding_larger_than_the_image_is_repeated() -> None:
    images = torch.arange(6.0).view(1, 1, 2, 3)
    expected = torch.nn.functional.pad(images, [2, 2, 1, 1], mode="reflect")
    assert torch.equal(reflect_pad(images, [2, 2, 1, 1]), expected)
    row = reflect_pad(images, [7, 6, 0, 0])[0, 0, 0]
    assert row.tolist() == [1, 2, 1, 0, 1, 2, 1, 0, 1, 2, 1, 0, 1, 2, 1, 0]


def test_the_memory_format_does_not_change_the_result(ops_implementation: str) -> None:
    images = torch.randn(4, 3, 24, 16)
    pipe = AugmentPipe(augment_preset(ALL_AUGMENTATIONS))
    channels_last = images.contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(
        pipe(channels_last, generator=seeded_generator()), pipe(images, generator=seeded_generator()), rtol=0, atol=1e-5
    )
