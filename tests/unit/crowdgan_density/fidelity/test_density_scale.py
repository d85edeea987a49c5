"""Classes and logarithms of densities, and the split of annotated images."""

from __future__ import annotations

import numpy as np
import pytest

from crowdgan_core.datasets.metadata import DatasetMetadata, ImageRecord
from crowdgan_core.density.class_bounds import ClassBounds
from crowdgan_core.errors import DatasetError
from crowdgan_density.fidelity.density_scale import check_annotated, fit_scale, fit_thresholds
from crowdgan_density.fidelity.split import split_held_out, stratified_sample


def metadata(densities: list[float], labels: list[object], **options: object) -> DatasetMetadata:
    """A dataset with these densities and labels."""
    records = tuple(
        ImageRecord(name=f"{index}.png", density=density, label=label)  # type: ignore[arg-type]
        for index, (density, label) in enumerate(zip(densities, labels, strict=True))
    )
    kind = "class" if isinstance(labels[0], int) else "value"
    return DatasetMetadata(label_kind=kind, images=records, unit="persons", **options)  # type: ignore[arg-type]


def test_results_do_not_depend_on_the_unit_of_the_density() -> None:
    densities = np.array([0.0, 1.0, 2.0, 4.0, 8.0, 16.0])
    scales = []
    for unit in (1.0, 1000.0):
        labels: list[object] = [int(density >= 3) for density in densities]
        bounds = ClassBounds(values=(3.0 * unit,))
        data = metadata((densities * unit).tolist(), labels, classes=("low", "high"), class_bounds=bounds)
        scales.append(fit_scale(data, data.images))
    logs = [scale.log(densities * unit) for scale, unit in zip(scales, (1.0, 1000.0), strict=True)]
    assert logs[1] - logs[0] == pytest.approx(np.full(6, np.log(1000)))
    positions = [scale.class_position(log) for scale, log in zip(scales, logs, strict=True)]
    assert positions[0] == pytest.approx(positions[1])


def test_logarithms_are_inverted_up_to_twice_the_largest_density() -> None:
    data = metadata([0.0, 1.0, 5.0, 9.0], [0, 0, 1, 1], classes=("low", "high"))
    scale = fit_scale(data, data.images)
    densities = np.array([0.0, 0.3, 12.0])
    assert scale.density(scale.log(densities)) == pytest.approx(densities)
    assert scale.density(scale.log(np.array([17.0, 19.0]))) == pytest.approx([17, 18])
    assert scale.density(np.array([1e9])) == pytest.approx([18])
    assert scale.density(np.array([-1e9])) == pytest.approx([0])


def test_class_positions_are_linear_between_the_centres_of_the_classes() -> None:
    data = metadata([1.0, 2.0, 4.0, 8.0, 16.0, 32.0], [0, 0, 1, 1, 2, 2], classes=("a", "b", "c"))
    scale = fit_scale(data, data.images)
    first, second, third = scale.centres
    logs = np.array([first, (first + second) / 2, second, third, third + (third - second)])
    assert scale.class_position(logs) == pytest.approx([0, 0.5, 1, 2, 3])


def test_thresholds_separate_classes_with_the_fewest_errors() -> None:
    densities = np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    assert fit_thresholds(densities, np.array([0, 0, 1, 1, 2, 2]), 3) == (2.5, 4.5)
    assert fit_thresholds(densities, np.array([0, 0, 1, 0, 1, 1]), 2) == (4.5,)


def test_label_vectors_and_negative_densities_are_an_error() -> None:
    with pytest.raises(DatasetError, match=r"d\.zip: labels are vectors"):
        check_annotated(metadata([1.0], [(1.0, 2.0)]), "d.zip")
    with pytest.raises(DatasetError, match=r"d\.zip: the lowest density is -1; densities must be at least 0"):
        check_annotated(metadata([1.0, 2.0], [(1.0,), (-1.0,)]), "d.zip")
    with pytest.raises(DatasetError, match=r"d\.zip: all 2 annotated images have the same density"):
        check_annotated(metadata([1.0, 1.0], [(1.0,), (1.0,)]), "d.zip")


def test_the_split_holds_out_a_fifth_of_each_class() -> None:
    strata = np.repeat([0, 1, 2], [50, 10, 2])
    training, held_out = split_held_out(strata, seed=3)
    assert sorted([*training, *held_out]) == list(range(62))
    assert np.bincount(strata[held_out]).tolist() == [10, 2, 1]
    assert np.array_equal(held_out, split_held_out(strata, seed=3)[1])
    assert not np.array_equal(held_out, split_held_out(strata, seed=4)[1])


def test_a_sample_has_the_same_fraction_of_every_class() -> None:
    strata = np.repeat([0, 1], [800, 200])
    sample = stratified_sample(strata, 100)
    assert len(sample) == len(set(sample)) == 100
    assert np.bincount(strata[sample]).tolist() == pytest.approx([80, 20], abs=1)
