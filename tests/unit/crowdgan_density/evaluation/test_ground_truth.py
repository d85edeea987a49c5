"""Reading ground-truth densities."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from crowdgan_core.errors import DatasetError
from crowdgan_core.synthetic import SyntheticConfig, write_synthetic_dataset
from crowdgan_density.evaluation.ground_truth import DENSITY_COLUMNS, GroundTruthIndex, read_ground_truth


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


@pytest.mark.parametrize(
    ("name", "density"),
    [
        ("a", 1.0),
        ("a.png", 1.0),
        ("A.png", None),
        ("images\\b.jpg", 2.0),
        ("images/b", 2.0),
        ("images/b.png", 2.0),
        ("b.jpg", None),
        ("frame_0.5", 3.0),
        ("frame_0.5.bmp", 3.0),
        ("frame_0", None),
        ("c.png", 4.0),
        ("c.bmp", None),
        ("c", None),
    ],
)
def test_names_match_without_the_suffix_if_they_are_unambiguous(name: str, density: float | None) -> None:
    index = GroundTruthIndex({"a": 1.0, "images/b.jpg": 2.0, "frame_0.5": 3.0, "c.png": 4.0, "c.jpg": 5.0})
    assert index.density_per_m2(name) == density


def test_a_missing_file_is_an_error_with_its_path(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"nowhere.json: cannot be read \(No such file"):
        read_ground_truth(tmp_path / "nowhere.json")


@pytest.mark.parametrize(
    "text",
    [
        "image,density_per_m2\n273271c9,1.7\nfolder/a.jpg,0\n",
        "\ufeffImage,People,Persons per m2\n273271c9,12,1.7\nunknown,3,\n\nfolder/a.jpg,0,0\n",
        "Datei;filename;Density\r\n1;273271c9;1,7\r\n2;folder/a.jpg;0,0\r\n",
        "path\tpersons/m²\n273271c9\t1.7\nfolder/a.jpg\t0\n",
    ],
)
def test_tables_are_read(tmp_path: Path, text: str) -> None:
    path = tmp_path / "truth.csv"
    path.write_text(text, encoding="utf-8")
    assert read_ground_truth(path) == {"273271c9": 1.7, "folder/a.jpg": 0.0}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", ": the file is empty; its first line must have the column names"),
        (b"image,density\n", ": no densities; there must be one row per image below the header"),
        (b"image,density\na,\n", ": no densities; there must be one row per image below the header"),
        (b"image,count\na,1\n", ":1: no column of densities in persons/m²; found columns image, count; acc"),
        (b"name,density\na,1\n", ":1: no column of images; found columns name, density; accepted are image"),
        (b"image,file,density\na,a,1\n", ":1: several columns of image: image, file; keep one"),
        (b"image,density,density_per_m2\n", ":1: several columns of density: density_per_m2, density; keep one"),
        (b"image,density,density\n", ":1: column density is repeated"),
        (b"image,density\na,1\nb\n", ":3: 1 cells; the header has 2 columns"),
        (b"image,density\na,1\n ,2\n", ":3: the image is empty; it must be the name of an image"),
        (b"image,density\ns/a,1\n\ns\\a,2\n", ":4: image s\\a is repeated, first in line 2"),
        (b"image,density\na,high\n", ':2: a: the density is "high"; it must be persons/m² from 0 to 1000'),
        (b"image,density\na,-1\n", ":2: a: the density is -1.0; it must be"),
        (b"image,density\na,nan\n", ":2: a: the density is NaN; it must be"),
        (b"image,density\na,inf\n", ":2: a: the density is Infinity; it must be"),
        (b"image,density\n\xff,1\n", ":2: not valid UTF-8 text (byte 1)"),
        (b'image,density\n"a,1\n', ":2: not valid CSV"),
    ],
)
def test_an_invalid_table_is_an_error_with_its_line(tmp_path: Path, data: bytes, message: str) -> None:
    path = tmp_path / "truth.csv"
    path.write_bytes(data)
    with pytest.raises(DatasetError) as error:
        read_ground_truth(path)
    assert str(error.value).startswith(f"{path}{message}")


def test_the_example_of_the_documentation_is_read(tmp_path: Path) -> None:
    page = (Path(__file__).parents[4] / "docs" / "reference" / "annotations.md").read_text(encoding="utf-8")
    [text] = re.findall(r"`truth.csv`:\n\n```csv\n(.*?)```", page, re.DOTALL)
    path = tmp_path / "truth.csv"
    path.write_text(text)
    assert read_ground_truth(path) == {"a.jpg": 0.84, "b.jpg": 0.0}
    names = re.findall(r"`([^`]+)`", page[page.index("is named") :])
    assert set(DENSITY_COLUMNS) <= set(names)
