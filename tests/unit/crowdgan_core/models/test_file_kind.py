"""Files that are not models are identified, with what to do."""

from __future__ import annotations

import gzip
import io
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest

from crowdgan_core.errors import CheckpointError
from crowdgan_core.models.card import read_card
from crowdgan_core.models.file_kind import FileKind, check_local, check_model_file, explain_file, identify_file
from tests.support.foreign_files import FOREIGN_FILES


@pytest.mark.parametrize("name", FOREIGN_FILES)
def test_a_foreign_file_is_identified_and_explained(tmp_path: Path, name: str) -> None:
    path = tmp_path / "model.safetensors"
    data, explanation = FOREIGN_FILES[name]
    path.write_bytes(data)
    with pytest.raises(CheckpointError) as caught:
        read_card(path)
    assert str(caught.value).startswith(f"{path}: {explanation}")


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"", None),
        (b"\x80\x02\0\0\0\0\0\0" + b" " * 640, None),
        (b"\x89PNG", None),
        (b"version 1", None),
        (pickle.dumps([1]), "pickle"),
        (pickle.dumps(np.zeros(2), 2), "pickle"),
        (b"\xef\xbb\xbf\n <!DOCTYPE HTML>", "html"),
        (gzip.compress(b"a", mtime=0), "gzip"),
        (b"PK\x03\x04", "zip"),
    ],
)
def test_kinds_are_distinguished_by_the_start_of_a_file(tmp_path: Path, data: bytes, kind: FileKind | None) -> None:
    (tmp_path / "file").write_bytes(data)
    assert identify_file(tmp_path / "file") == kind
    assert (explain_file(tmp_path / "file") is None) == (kind is None)


def test_a_zip_dataset_is_not_a_file_of_torch(tmp_path: Path) -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("dataset.json", "{}")
        archive.writestr("mydata.pkl", "")
    (tmp_path / "a.zip").write_bytes(file.getvalue())
    assert identify_file(tmp_path / "a.zip") == "zip"


@pytest.mark.parametrize("url", ["https://example.org/a/ffhq.pkl?x=1", "http://h/m.safetensors", "s3://bucket/a.pkl"])
def test_a_url_is_reported_with_both_slashes(url: str) -> None:
    with pytest.raises(CheckpointError) as caught:
        check_local(Path(url))
    message = "a URL; download the file first, and give the path of the downloaded file"
    assert str(caught.value) == f"{url}: {message}"
    with pytest.raises(CheckpointError, match="a URL; download the file first"):
        read_card(Path(url))


@pytest.mark.parametrize("path", ["a/b.pkl", "C:/models/a.pkl", "/a:/b", "a:b"])
def test_a_path_is_not_a_url(path: str) -> None:
    check_local(Path(path))


def test_an_existing_path_that_looks_like_a_url_is_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("https:").mkdir()
    Path("https:/a").touch()
    check_local(Path("https://a"))


def test_a_folder_is_reported_with_its_latest_model(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError) as caught:
        check_model_file(tmp_path)
    assert str(caught.value) == f"{tmp_path}: a folder; name a model file"
    for kimg in ("000000", "000200"):
        (tmp_path / f"network-snapshot-{kimg}.safetensors").touch()
    with pytest.raises(CheckpointError) as caught:
        check_model_file(tmp_path)
    example = tmp_path / "network-snapshot-000200.safetensors"
    assert str(caught.value) == f"{tmp_path}: a folder; name a model file, for example {example}"
