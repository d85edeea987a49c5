"""`kde`: kernel density with a bandwidth scaled by each person's box height."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crowdgan_core.density.estimator import DensityEstimate
from crowdgan_core.errors import ConfigError
from crowdgan_density.image_plane.kernel import KernelDensityEstimator, local_densities, visible_fractions

UNIT = "persons/m² of the image plane"
METRE_PX = 100
PERSON_PX = (60, 168.5)
"""Width and height of a box at 100 px per metre."""

PEAK = 1 / (2 * math.pi)
"""Height of the kernel of 1 m, in persons/m²."""

SIZE = (4000, 6000)


def boxes_at(*centres_m, scale=1.0):
    """Boxes of people with centres at these metres, at 100 px per metre times `scale`."""
    centres = np.array(centres_m, float).reshape(-1, 2) * METRE_PX * scale
    extent = np.array(PERSON_PX) * scale
    return np.hstack([centres - extent / 2, np.broadcast_to(extent, centres.shape)])


def reference_densities(boxes, size, bandwidth_m, height_ratio):
    """Local densities by their definition, pair by pair, for boxes that all touch the image."""
    centres, densities = boxes[:, :2] + boxes[:, 2:] / 2, []
    for i, (centre, height) in enumerate(zip(centres, boxes[:, 3], strict=True)):
        sigma = bandwidth_m * height / 1.685
        total = 0.0
        for j, (other, other_height) in enumerate(zip(centres, boxes[:, 3], strict=True)):
            if i != j and max(height, other_height) <= height_ratio * min(height, other_height):
                total += math.exp(-((math.dist(centre, other) / sigma) ** 2) / 2)
        fraction = 1.0
        for position, extent, side in zip(centre, boxes[i, 2:], size[::-1], strict=True):
            low, high = -extent / 2, side + extent / 2
            fraction *= (math.erf((position - low) / sigma / 2**0.5) + math.erf((high - position) / sigma / 2**0.5)) / 2
        densities.append(total / (2 * math.pi * bandwidth_m**2) / fraction)
    return np.array(densities)


def expected_estimate(value, class_index):
    return DensityEstimate(value=value, unit=UNIT, class_index=class_index)


def test_the_local_density_of_two_people_is_the_kernel_at_their_distance():
    densities = local_densities(boxes_at((20, 20), (21.5, 20)), SIZE)
    np.testing.assert_allclose(densities, PEAK * math.exp(-(1.5**2) / 2))


@pytest.mark.parametrize("num_people", [2, 30, 63, 64, 65, 200])
def test_densities_equal_a_sum_over_all_pairs(num_people):
    rng = np.random.default_rng(num_people)
    boxes = rng.uniform([0, 0, 20, 40], [900, 600, 60, 160], (num_people, 4))
    densities = local_densities(boxes, (700, 1000), bandwidth_m=0.8, height_ratio=1.4)
    expected = reference_densities(boxes, (700, 1000), 0.8, 1.4)
    # at the cutoff the kernel is 0.0003 of its peak
    np.testing.assert_allclose(densities, expected, rtol=1e-9, atol=4e-4 * num_people / (2 * math.pi * 0.64))


def test_densities_are_exact_if_all_people_are_within_the_cutoff():
    boxes = np.random.default_rng(1).uniform([0, 0, 20, 100], [90, 60, 60, 120], (150, 4))
    densities = local_densities(boxes, (700, 1000), bandwidth_m=1.0, height_ratio=1.5)
    np.testing.assert_allclose(densities, reference_densities(boxes, (700, 1000), 1.0, 1.5), rtol=1e-9)


@pytest.mark.parametrize("density", [0.5, 2.0, 6.0])
@pytest.mark.parametrize("side_m", [3, 20])
def test_the_mean_density_of_random_positions_is_unbiased_in_any_part_of_the_crowd(make_scene, density, side_m):
    crowd_m, rng = 40, np.random.default_rng(17)
    boxes = boxes_at(*rng.uniform(0, crowd_m, (round(density * crowd_m**2), 2)), scale=0.3)
    values, counts = [], []
    for left, top in rng.uniform(2, 38 - side_m, (300 if side_m == 3 else 8, 2)) * 30:
        crop = boxes - [left, top, 0, 0]
        touching = (crop[:, :2] < side_m * 30).all(axis=1) & (crop[:, :2] + crop[:, 2:] > 0).all(axis=1)
        values.append(
            KernelDensityEstimator().estimate(make_scene(crop[touching], size=(side_m * 30, side_m * 30))).value
        )
        counts.append(np.count_nonzero(touching))
    assert np.average(values, weights=counts) == pytest.approx(density, rel=0.1)


def test_the_density_of_fewer_than_two_people_is_0(make_scene):
    assert KernelDensityEstimator().estimate(make_scene()) == expected_estimate(0.0, 0)
    assert KernelDensityEstimator().estimate(make_scene([[10, 10, 40, 100]])) == expected_estimate(0.0, 0)


@pytest.mark.parametrize(("spacing_m", "class_index"), [(2.0, 0), (1.2, 1), (0.8, 2)])
def test_classes_follow_the_distances_of_a_square_formation(make_scene, spacing_m, class_index):
    rows = np.mgrid[0:12, 0:12].reshape(2, -1).T * spacing_m
    scene = make_scene(boxes_at(*(rows + 5)), size=SIZE)
    assert KernelDensityEstimator().estimate(scene).class_index == class_index


def test_people_at_the_same_position_have_the_peak_of_the_kernel(make_scene):
    scene = make_scene(boxes_at(*[(20, 20)] * 9), size=SIZE)
    assert KernelDensityEstimator().estimate(scene) == expected_estimate(pytest.approx(8 * PEAK), 2)


def test_people_of_very_different_box_heights_are_not_neighbours(make_scene):
    near, far = boxes_at((20, 20)), boxes_at((20, 20), scale=1.0)
    far[:, 2:] /= 1.6
    assert KernelDensityEstimator().estimate(make_scene(np.vstack([near, far]), size=SIZE)) == expected_estimate(0.0, 0)
    wider = KernelDensityEstimator(height_ratio=2)
    assert wider.estimate(make_scene(np.vstack([near, far]), size=SIZE)).value > 0.1


def test_the_bandwidth_is_scaled_by_each_persons_box_height():
    boxes = np.array([[1000, 1000, 60, 168.5], [1000, 1000 - 168.5 * 0.2 / 2, 60, 168.5 * 1.2]])
    boxes[1, 0] += 100
    np.testing.assert_allclose(local_densities(boxes, SIZE), [PEAK * math.exp(-0.5), PEAK * math.exp(-0.5 / 1.2**2)])


def test_the_region_outside_the_image_does_not_count_as_empty():
    boxes = np.array([[300.0, 200, 20, 40], [-20, 200, 20, 40], [600, 400, 20, 40], [-10, 150, 20, 40]])
    fractions = visible_fractions(boxes, np.full(4, 50.0), (400, 600))
    np.testing.assert_allclose(fractions, [1, 0.5, 0.25, (1 + math.erf(0.2 / 2**0.5)) / 2], rtol=1e-3)


def test_people_larger_than_the_image_are_spread_over_the_region_where_they_would_touch_it(make_scene):
    """The kernel is far wider than the image: the 5 others occupy (1000 + 7000) px times (1000 + 16850) px."""
    large_boxes = np.tile([-3000.0, -8000, 7000, 16850], (6, 1))
    estimate = KernelDensityEstimator(bandwidth_m=100).estimate(make_scene(large_boxes, size=(1000, 1000)))
    assert estimate == expected_estimate(pytest.approx(5 / (0.8 * 1.785), rel=1e-3), 2)


def test_extreme_bandwidths_have_finite_densities(make_scene):
    scene = make_scene([[10, 10, 40, 168.5], [50, 10, 40, 168.5]], size=(300, 400))
    assert KernelDensityEstimator(bandwidth_m=1e30).estimate(scene).value == pytest.approx(1 / (4.4 * 4.685))
    assert KernelDensityEstimator(bandwidth_m=1e-6).estimate(scene) == expected_estimate(0.0, 0)


def test_people_outside_the_image_are_skipped(make_scene):
    outside = [[-100, 10, 40, 100], [700, 10, 40, 100], [10, 480, 40, 100]]
    assert KernelDensityEstimator().estimate(make_scene(outside)) == expected_estimate(0.0, 0)
    assert KernelDensityEstimator().estimate(make_scene([*outside, [10, 10, 40, 100]])) == expected_estimate(0.0, 0)


def test_ignore_regions_and_people_without_a_box_are_skipped(make_scene):
    boxes = [*boxes_at((20, 20), (21, 20), (20, 21)), [np.nan] * 4, [5, 5, 0, 0]]
    estimate = KernelDensityEstimator().estimate(make_scene(boxes, size=SIZE, ignore=[0, 0, 1, 0, 0]))
    assert estimate == expected_estimate(pytest.approx(PEAK * math.exp(-0.5)), 0)


def test_the_density_of_heads_only_is_unknown(heads_only):
    expected = DensityEstimate.unknown(UNIT, "no person has a full-body box (only heads are annotated)")
    assert KernelDensityEstimator().estimate(heads_only) == expected


@given(st.integers(0, 2**32 - 1), st.floats(0.1, 10))
def test_image_scale_and_order_of_people_do_not_matter(seed, scale):
    boxes = np.random.default_rng(seed).uniform([-50, -50, 10, 40], [1000, 600, 60, 160], (70, 4))
    densities = local_densities(boxes, (600, 1000))
    tolerance = 4e-4 * 70 * PEAK  # neighbours at the cutoff may fall on either side
    scaled = local_densities(boxes * scale, (600 * scale, 1000 * scale))
    np.testing.assert_allclose(scaled, densities, rtol=1e-6, atol=tolerance)
    np.testing.assert_allclose(local_densities(boxes[::-1], (600, 1000)), densities[::-1], rtol=1e-6, atol=tolerance)


@given(st.integers(0, 2**32 - 1), st.floats(0.3, 0.9))
def test_people_closer_together_have_a_larger_density(seed, factor):
    centres = np.random.default_rng(seed).uniform(-5, 5, (30, 2))
    loose, tight = (local_densities(boxes_at(*(c + 20)), SIZE).mean() for c in (centres, centres * factor))
    assert tight > loose


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"bandwidth_m": 0.0}, "kde: bandwidth_m is 0.0; it must be above 0"),
        ({"bandwidth_m": math.inf}, "kde: bandwidth_m is inf; it must be above 0"),
        ({"height_ratio": 0.9}, "kde: height_ratio is 0.9; it must be at least 1"),
        ({"height_ratio": math.nan}, "kde: height_ratio is nan; it must be at least 1"),
        (
            {"dense_from": 0.1},
            "kde: medium_from is 0.43 and dense_from is 0.1; "
            "they must be finite, and medium_from must be below dense_from",
        ),
    ],
)
def test_invalid_options_are_an_error(options, text):
    with pytest.raises(ConfigError, match=f"^{re.escape(text)}$"):
        KernelDensityEstimator(**options)
