"""Files of figures, and the style while they are drawn."""

from __future__ import annotations

import io
from pathlib import Path

import matplotlib as mpl
import pytest
from PIL import Image

from crowdgan_core.errors import ConfigError, DatasetError
from crowdgan_plot.output import checked_output
from crowdgan_plot.style import encode_figure, line_look, new_figure, plot_style, truncate_text


@pytest.mark.parametrize(("name", "kind"), [("a.png", "png"), ("b.SVG", "svg"), ("c.d.pdf", "pdf")])
def test_the_end_of_the_name_chooses_the_kind(tmp_path: Path, name: str, kind: str) -> None:
    assert checked_output(tmp_path / name, overwrite=False) == kind


@pytest.mark.parametrize("name", ["a.jpg", "a", "png", "a.png.txt"])
def test_other_names_are_refused_with_the_list_of_those_allowed(name: str) -> None:
    with pytest.raises(ConfigError) as caught:
        checked_output(Path(name), overwrite=False)
    assert str(caught.value) == f"--out {name}: its name must end in one of .png, .svg, .pdf"


def test_a_file_that_exists_is_kept(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"mine")
    with pytest.raises(DatasetError, match="it exists already"):
        checked_output(tmp_path / "a.png", overwrite=False)
    assert checked_output(tmp_path / "a.png", overwrite=True) == "png"


@pytest.mark.parametrize(("kind", "start"), [("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")])
def test_equal_figures_give_equal_files(kind: str, start: bytes) -> None:
    files = []
    for _ in range(2):
        with plot_style():
            figure = new_figure()
            figure.subplots().plot([0, 1], [1, 0])
            files.append(encode_figure(figure, kind))
    assert files[0] == files[1]
    assert files[0].startswith(start)


def test_a_image_fills_a_slide() -> None:
    with plot_style():
        assert Image.open(io.BytesIO(encode_figure(new_figure(), "png"))).size == (1500, 840)


def test_the_style_ends_with_its_context() -> None:
    before = dict(mpl.rcParams)
    with plot_style(**{"font.size": 20}):
        assert mpl.rcParams["font.size"] == 20
    assert dict(mpl.rcParams) == before


def test_lines_differ_in_colour_or_style() -> None:
    looks = [tuple(line_look(index).items()) for index in range(28)]
    assert len(set(looks)) == 28


def test_a_long_name_is_cut() -> None:
    assert (truncate_text("abc", 3), truncate_text("abcd", 3), truncate_text("abcd", 1)) == ("abc", "ab…", "a…")
