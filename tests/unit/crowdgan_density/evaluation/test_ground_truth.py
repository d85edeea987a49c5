"""Reading ground-truth densities."""

from __future__ import annotations

from pathlib import Path

import pytest

from crowdgan_core.errors import DatasetError
from crowdgan_core.synthetic import SyntheticConfig, write_synthetic_dataset
from crowdgan_density.evaluation.ground_truth import read_ground_truth


def test_names_and_densities_are_read(tmp_path: Path) -> None:
    path = tmp_path / "truth.json"
    path.write_text('{"273271,c9": 1.7, "empty": 0}')
    assert read_ground_truth(path) == {"273271,c9": 1.7, "empty": 0.0}
    assert read_ground_truth(str(path)) == read_ground_truth(path)


def test_the_file_of_synth_is_read(tmp_path: Path) -> None:
    write_synthetic_dataset(SyntheticConfig(images=2, size=(64, 64), density=(0.5, 0.5)), tmp_path / "crowds")
    ground_truth = read_ground_truth(tmp_path / "crowds" / "truth.json")
    assert len(ground_truth) == 2
    assert all(density == pytest.approx(0.5, rel=0.3) for density in ground_truth.values())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not valid JSON"),
        ("[1]", "it must be a JSON object of image names and densities in persons/m²"),
        ("{}", "it must be a JSON object of image names"),
        ('{"pictures": 3}', "it must be a JSON object of image names"),
        ('{"a": "1"}', 'a: the density is "1"; it must be persons/m² from 0 to 1000'),
        ('{"a": -1}', "a: the density is -1; it must be"),
        ('{"a": true}', "a: the density is true; it must be"),
        ('{"a": NaN}', "a: the density is NaN; it must be"),
        ('{"a": 1e999}', "a: the density is Infinity; it must be"),
        ('{"pictures": {"a": {"density": 1}}}', "a: the density is null; it must be"),
    ],
)
def test_an_invalid_file_is_an_error_with_its_path(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "truth.json"
    path.write_text(text)
    with pytest.raises(DatasetError) as error:
        read_ground_truth(path)
    assert str(error.value).startswith(f"{path}: {message}")


def test_a_missing_file_is_an_error_with_its_path(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"nowhere.json: cannot be read \(No such file"):
        read_ground_truth(tmp_path / "nowhere.json")
