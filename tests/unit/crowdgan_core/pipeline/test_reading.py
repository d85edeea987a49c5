"""Scenes of a source, and what estimators say of them, without making a dataset."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import pytest

from crowdgan_core.density.estimator import DensityEstimate, DensityEstimator
from crowdgan_core.errors import ConfigError, DatasetError, DensityError
from crowdgan_core.pipeline.estimation import estimate_densities
from crowdgan_core.pipeline.reading import ReadConfig, read_scenes
from crowdgan_core.scenes.scene import Scene
from crowdgan_core.sources.crowdhuman import CrowdHumanSource
from crowdgan_core.sources.folder import FolderSource
from crowdgan_core.testing import example_scene
from tests.unit.crowdgan_core.conftest import MakeSource

ONE = ReadConfig(workers=1)


@dataclass(frozen=True, kw_only=True)
class Fussy(DensityEstimator):
    """Persons; fails on a scene without any."""

    name: ClassVar[str] = "fussy"
    unit: ClassVar[str] = "persons"
    classes: ClassVar[tuple[str, ...]] = ("few", "many")

    def estimate(self, scene: Scene) -> DensityEstimate:
        if not len(scene):
            raise DensityError("there is nobody")
        return DensityEstimate(value=len(scene), unit=self.unit, class_index=int(len(scene) > 9))


def test_scenes_are_whole_photographs_in_the_order_of_the_source(make_crowdhuman: MakeSource) -> None:
    source = CrowdHumanSource().open(*make_crowdhuman("folder"))
    reading = read_scenes(source, "crowdhuman: folder", ONE)
    assert [scene.person_count for scene in reading.scenes] == [0, 6, 12, 18, 24]
    assert {scene.size for scene in reading.scenes} == {(60, 80)}
    assert reading.skipped == {}
    few = ReadConfig(workers=2, max_images=2)
    reading = read_scenes(source, "crowdhuman: folder", few)
    assert [scene.person_count for scene in reading.scenes] == [0, 6]


def test_what_cannot_be_read_stops_or_is_counted(make_crowdhuman: MakeSource) -> None:
    paths, annotations = make_crowdhuman("folder")
    images = sorted(paths[0].rglob("*.jpg"))
    images[0].unlink()
    images[1].write_bytes(b"no image")
    with pytest.raises(DatasetError, match=r"annotations without an image: 1 .*; to leave them out, add --on-error s"):
        read_scenes(CrowdHumanSource().open(paths, annotations), "crowdhuman: folder", ONE)
    reading = read_scenes(
        CrowdHumanSource().open(paths, annotations), "crowdhuman: folder", ReadConfig(workers=1, on_error="skip")
    )
    assert [scene.person_count for scene in reading.scenes] == [12, 18, 24]
    assert {reason: len(names) for reason, names in reading.skipped.items()} == {
        "annotations without an image": 1,
        "damaged or unfit images": 1,
    }
    with pytest.raises(DatasetError, match=r"crowdhuman: folder: no image is left; annotations without an image: 1"):
        nothing = ReadConfig(workers=1, on_error="skip", max_images=1)
        read_scenes(CrowdHumanSource().open(paths, annotations), "crowdhuman: folder", nothing)


def test_images_without_annotations_have_no_scenes(make_crowdhuman: MakeSource) -> None:
    paths, _ = make_crowdhuman("folder")
    with pytest.raises(ConfigError, match="folder: photos: it has no annotations of people"):
        read_scenes(FolderSource().open(paths, None), "folder: photos", ONE)


def test_an_estimator_that_fails_cannot_tell() -> None:
    scenes = [example_scene(count) for count in (3, 0, 12)]
    for workers in (1, 2):
        [found] = estimate_densities([Fussy()], scenes, workers=workers)
        assert [density.value for density in found] == [3, None, 12]
        assert found[1].reason == "there is nobody"


@pytest.mark.parametrize("option", ["workers", "max_images"])
def test_settings_below_1_are_refused(option: str) -> None:
    with pytest.raises(ConfigError, match=f"{option} is 0; it must be at least 1"):
        ReadConfig(**{option: 0})  # type: ignore[arg-type]
