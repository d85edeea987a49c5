"""Level-of-service scales of persons/m²."""

from __future__ import annotations

import math
import re

import pytest

from crowdgan_core.errors import ConfigError, DensityError
from crowdgan_density.level_of_service_scales import LEVEL_OF_SERVICE_SCALES, level_of_service, parse_scale


@pytest.mark.parametrize(
    ("name", "area_m2", "level"),
    [
        ("fruin-walkway", 3.24, "A"),
        ("fruin-walkway", 3.23, "B"),
        ("fruin-walkway", 0.46, "E"),
        ("fruin-walkway", 0.45, "F"),
        ("fruin-queuing", 1.21, "A"),
        ("fruin-queuing", 0.64, "D"),
        ("hcm-walkway", 5.61, "A"),
        ("hcm-walkway", 5.6, "B"),
        ("khcm-walkway", 0.38, "E"),
        ("khcm-walkway", 0.37, "F"),
    ],
)
def test_areas_per_person_have_the_published_level(name: str, area_m2: float, level: str) -> None:
    scale = LEVEL_OF_SERVICE_SCALES[name]
    assert scale.classes[scale.class_index(1 / area_m2)] == level
    assert level_of_service(1 / area_m2, name) == level


def test_the_default_scale_is_fruins_for_walkways() -> None:
    assert [level_of_service(density) for density in (0, 0.84, 5)] == ["A", "D", "F"]
    assert level_of_service(0.7, scale="0.5,1") == "0.5 to 1"


@pytest.mark.parametrize("density", [-0.1, math.nan, math.inf])
def test_the_level_of_an_invalid_density_is_an_error(density: float) -> None:
    message = f"the density is {density} persons/m²; it must be 0 or above"
    with pytest.raises(DensityError, match=f"^{re.escape(message)}$"):
        level_of_service(density)


def test_crowd_safety_has_its_published_class_boundaries() -> None:
    scale = parse_scale("crowd-safety")
    assert [scale.class_index(value) for value in (0.5, 2.0, 3.0, 4.7, 5.9, 6.1)] == [0, 0, 1, 2, 3, 4]


def test_given_class_boundaries_define_a_scale() -> None:
    scale = parse_scale("0.5,1,2")
    assert scale.classes == ("below 0.5", "0.5 to 1", "1 to 2", "above 2")
    assert [scale.class_index(value) for value in (0.1, 0.7, 1.5, 3.0)] == [0, 1, 2, 3]


@pytest.mark.parametrize("text", ["fruin", "2,1", "0,1", "1,nan", "", "1,,2"])
def test_an_invalid_scale_is_an_error(text: str) -> None:
    message = (
        f"^no such scale {text}; choose from fruin-walkway, .*, or write increasing class boundaries in persons/m²"
    )
    with pytest.raises(ConfigError, match=message):
        parse_scale(text)


def test_all_scales_have_a_source_and_increasing_boundaries() -> None:
    for scale in LEVEL_OF_SERVICE_SCALES.values():
        assert scale.source
        assert list(scale.bounds_per_m2) == sorted(scale.bounds_per_m2)
        assert len(scale.classes) == len(scale.bounds_per_m2) + 1
