"""Files of a run folder."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from crowdgan_core.errors import DatasetError
from crowdgan_core.io.run_folder import RunFolder, image_size_of, runs_in


def test_options_are_empty_without_the_file(tmp_path: Path) -> None:
    assert RunFolder(tmp_path).options() == {}
    (tmp_path / "training_options.json").write_text(json.dumps({"a": "ü"}))
    assert RunFolder(tmp_path).options() == {"a": "ü"}


@pytest.mark.parametrize(("text", "message"), [("[1]", "it must be a JSON object"), ("{", "cannot be read")])
def test_options_that_are_not_a_json_object_are_an_error(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "training_options.json").write_text(text)
    with pytest.raises(DatasetError, match=message):
        RunFolder(tmp_path).options()


def test_sample_grids_are_in_the_order_of_training(tmp_path: Path) -> None:
    for name in ("fakes001000", "fakes000200_496", "fakes000200", "fakes_init", "fakes", "fakesx", "other"):
        (tmp_path / f"{name}.png").write_bytes(b"")
    grids = RunFolder(tmp_path).sample_grids()
    assert [(kimg, path.name) for kimg, path in grids] == [
        (None, "fakes_init.png"),
        (200, "fakes000200.png"),
        (200.496, "fakes000200_496.png"),
        (1000, "fakes001000.png"),
    ]


def test_snapshots_are_listed_in_the_order_of_training(tmp_path: Path) -> None:
    names = [f"network-snapshot-{part}" for part in ("000100.safetensors", "000000_496.safetensors", "000200.pkl")]
    for name in (*names, "network-snapshot-last.safetensors", "best-kid.safetensors"):
        (tmp_path / name).touch()
    assert RunFolder(tmp_path).snapshots() == [(0.496, tmp_path / names[1]), (100, tmp_path / names[0])]


def test_snapshots_have_unique_names_in_the_order_of_training() -> None:
    run = RunFolder(Path("run"))
    names = [run.snapshot_path(images / 1000).name for images in (0, 4, 996, 1000, 1004, 25_000_000)]
    assert names == sorted(names)
    assert names[2:] == [
        "network-snapshot-000000_996.safetensors",
        "network-snapshot-000001.safetensors",
        "network-snapshot-000001_004.safetensors",
        "network-snapshot-025000.safetensors",
    ]


@pytest.mark.parametrize(
    ("options", "size"),
    [
        ({"training_set_kwargs": {"resolution": 256}}, (256, 256)),
        ({"resolution": [144, 256]}, (144, 256)),
        ({"training": {"generator": {"resolution": 64}}}, (64, 64)),
        ({"training": []}, None),
        ({"training_set_kwargs": {"resolution": None}, "resolution": 64}, (64, 64)),
        ({"training_set_kwargs": None}, None),
        ({"resolution": [1, 2, 3]}, None),
        ({"resolution": -4}, None),
    ],
)
def test_the_image_size_is_read_from_the_options(options: dict[str, object], size: tuple[int, int] | None) -> None:
    assert image_size_of(options) == size


def test_run_folders_are_listed_newest_first(tmp_path: Path) -> None:
    for name in ("00000-a", "00002-c", "00001-b", "other"):
        (tmp_path / name).mkdir()
    assert [run.path.name for run in runs_in(tmp_path)] == ["00002-c", "00001-b", "00000-a"]
    assert runs_in(tmp_path / "missing") == []
