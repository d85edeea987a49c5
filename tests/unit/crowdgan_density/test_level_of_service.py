"""Named scales of persons/m²."""

from __future__ import annotations

import pytest

from crowdgan_core.errors import ConfigError
from crowdgan_density.level_of_service import LEVEL_OF_SERVICE_SCALES, parse_scale


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
def test_areas_per_person_get_the_published_level(name: str, area_m2: float, level: str) -> None:
    scale = LEVEL_OF_SERVICE_SCALES[name]
    assert scale.classes[scale.class_index(1 / area_m2)] == level


def test_crowd_safety_has_cuts_of_its_own() -> None:
    scale = parse_scale("crowd-safety")
    assert [scale.class_index(value) for value in (0.5, 2.0, 3.0, 4.7, 5.9, 6.1)] == [0, 0, 1, 2, 3, 4]


def test_bounds_of_the_user_make_a_scale() -> None:
    scale = parse_scale("0.5,1,2")
    assert scale.classes == ("below 0.5", "0.5 to 1", "1 to 2", "above 2")
    assert [scale.class_index(value) for value in (0.1, 0.7, 1.5, 3.0)] == [0, 1, 2, 3]


@pytest.mark.parametrize("text", ["fruin", "2,1", "0,1", "1,nan", "", "1,,2"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="it must be fruin-walkway, .*, or rising persons/m² such as 0.5,1,2"):
        parse_scale(text)


def test_every_scale_names_its_source_and_rises() -> None:
    for scale in LEVEL_OF_SERVICE_SCALES.values():
        assert scale.source
        assert list(scale.bounds_per_m2) == sorted(scale.bounds_per_m2)
        assert len(scale.classes) == len(scale.bounds_per_m2) + 1
