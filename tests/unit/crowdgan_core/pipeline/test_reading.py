"""Reading the scenes of a source, and estimating their densities, without building a dataset."""

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
from tests.unit.crowdgan_core.conftest import WriteSource

ONE_WORKER = ReadConfig(workers=1)


@dataclass(frozen=True, kw_only=True)
class StrictCount(DensityEstimator):
    """Person count; an error for a scene without people."""

    name: ClassVar[str] = "strict-count"
    unit: ClassVar[str] = "persons"
    classes: ClassVar[tuple[str, ...]] = ("few", "many")

    def estimate(self, scene: Scene) -> DensityEstimate:
        if not len(scene):
            raise DensityError("no people")
        return DensityEstimate(value=len(scene), unit=self.unit, class_index=int(len(scene) > 9))


def test_scenes_are_full_images_in_the_order_of_the_source(write_crowdhuman: WriteSource) -> None:
    source = CrowdHumanSource().open(*write_crowdhuman("folder"))
    result = read_scenes(source, "crowdhuman: folder", ONE_WORKER)
    assert [scene.person_count for scene in result.scenes] == [0, 6, 12, 18, 24]
    assert {scene.size for scene in result.scenes} == {(60, 80)}
    assert result.skipped == {}
    result = read_scenes(source, "crowdhuman: folder", ReadConfig(workers=2, max_images=2))
    assert [scene.person_count for scene in result.scenes] == [0, 6]


def test_unreadable_items_are_an_error_or_are_counted(write_crowdhuman: WriteSource) -> None:
    paths, annotations = write_crowdhuman("folder")
    images = sorted(paths[0].rglob("*.jpg"))
    images[0].unlink()
    images[1].write_bytes(b"not an image")
    with pytest.raises(DatasetError, match=r"annotations without an image: 1 .*; to skip them, add --on-error s"):
        read_scenes(CrowdHumanSource().open(paths, annotations), "crowdhuman: folder", ONE_WORKER)
    result = read_scenes(
        CrowdHumanSource().open(paths, annotations), "crowdhuman: folder", ReadConfig(workers=1, on_error="skip")
    )
    assert [scene.person_count for scene in result.scenes] == [12, 18, 24]
    assert {reason: len(names) for reason, names in result.skipped.items()} == {
        "annotations without an image": 1,
        "unreadable or unsuitable images": 1,
    }
    with pytest.raises(DatasetError, match=r"crowdhuman: folder: no images remain; annotations without an image: 1"):
        config = ReadConfig(workers=1, on_error="skip", max_images=1)
        read_scenes(CrowdHumanSource().open(paths, annotations), "crowdhuman: folder", config)


def test_images_without_annotations_have_no_scenes(write_crowdhuman: WriteSource) -> None:
    paths, _ = write_crowdhuman("folder")
    with pytest.raises(ConfigError, match="folder: images: the source has no annotations of people"):
        read_scenes(FolderSource().open(paths, None), "folder: images", ONE_WORKER)
    with pytest.raises(ConfigError, match=r"dataset: x\.zip: this is a dataset, which has no annotations"):
        read_scenes(FolderSource().open(paths, None), "dataset: x.zip", ONE_WORKER)


def test_an_estimator_error_becomes_an_unknown_density() -> None:
    scenes = [example_scene(count) for count in (3, 0, 12)]
    for workers in (1, 2):
        [estimates] = estimate_densities([StrictCount()], scenes, workers=workers)
        assert [density.value for density in estimates] == [3, None, 12]
        assert estimates[1].reason == "no people"


@pytest.mark.parametrize("option", ["workers", "max_images"])
def test_numbers_below_1_are_an_error(option: str) -> None:
    with pytest.raises(ConfigError, match=f"{option} is 0; it must be at least 1"):
        ReadConfig(**{option: 0})  # type: ignore[arg-type]
