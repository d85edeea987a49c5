"""Formats and paths of figure files."""

from __future__ import annotations

from pathlib import Path

import pytest

from crowdgan_core.errors import ConfigError, DatasetError
from crowdgan_plot.output import check_figure_path


@pytest.mark.parametrize(("name", "file_format"), [("a.png", "png"), ("b.SVG", "svg"), ("c.d.pdf", "pdf")])
def test_the_suffix_selects_the_format(tmp_path: Path, name: str, file_format: str) -> None:
    assert check_figure_path(tmp_path / name, overwrite=False) == file_format


@pytest.mark.parametrize("name", ["a.jpg", "a", "png", "a.png.txt"])
def test_other_suffixes_are_an_error_that_lists_the_allowed_ones(name: str) -> None:
    with pytest.raises(ConfigError) as caught:
        check_figure_path(Path(name), overwrite=False)
    assert str(caught.value) == f"{name}: the file name must end in .png, .svg or .pdf"


def test_an_existing_file_is_kept(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"existing")
    with pytest.raises(DatasetError, match="already exists"):
        check_figure_path(tmp_path / "a.png", overwrite=False)
    assert check_figure_path(tmp_path / "a.png", overwrite=True) == "png"
