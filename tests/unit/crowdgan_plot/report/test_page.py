"""The page of a run, and what it is made of."""

from __future__ import annotations

import base64
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest
from PIL import Image

from crowdgan_core.errors import DatasetError
from crowdgan_core.utils.sampling import evenly_spaced
from crowdgan_plot.report.charts import KINDS, chart
from crowdgan_plot.report.page import MAX_FRAMES, run_page
from crowdgan_plot.report.previews import (
    SampleGridFile,
    flatten_options,
    read_options,
    sample_grids,
    shown_grid,
    tile_size,
)
from crowdgan_plot.training.stats import read_stats
from tests.support.run_folders import stats_lines, write_run, write_stats
from tests.support.sources import image_bytes


class Parts(HTMLParser):
    """The texts, images and addresses of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.images: dict[str, bytes] = {}
        self.addresses: list[str] = []
        self.ids: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        found = dict(attributes)
        self.addresses += [value for name in ("src", "href", "xlink:href") if (value := found.get(name))]
        self.ids += [value for value in [found.get("id")] if value]
        if tag == "img":
            source, alt = found["src"], found["alt"]
            assert source is not None
            assert alt is not None
            self.images[alt] = base64.b64decode(source.removeprefix("data:image/jpeg;base64,"))

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.texts.append(data.strip())


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A whole run folder."""
    return write_run(tmp_path / "00007-<crowds> & co")


def test_a_page_holds_all_of_a_run_and_needs_nothing_else(run: Path) -> None:
    page = run_page(run)
    parts = Parts(page.text)
    assert page.notes == ()
    headings = [text for text in parts.texts if text in {kind.title for kind in KINDS}]
    assert headings == [kind.title for kind in KINDS]
    assert list(parts.images) == ["real images", "before the training", "0 kimg", "100 kimg", "200 kimg"]
    assert all(address.startswith(("data:", "#")) for address in parts.addresses)
    assert not re.search(r"@import|url\((?!#)", page.text)
    assert "00007-<crowds> & co" in parts.texts
    assert ("loss_kwargs.r1_gamma", "2.0") in zip(parts.texts, parts.texts[1:], strict=False)
    assert "236 kimg" in parts.texts
    assert len(set(parts.ids)) == len(parts.ids)


def test_images_of_a_page_are_those_of_the_folder(run: Path) -> None:
    for alt, data in Parts(run_page(run).text).images.items():
        name = {"real images": "reals", "before the training": "fakes_init"}.get(alt) or f"fakes{int(alt[:-5]):06d}"
        with Image.open(run / f"{name}.png") as stored, Image.open(io.BytesIO(data)) as shown:
            assert shown.size == stored.size
            assert shown.resize((4, 4)).getpixel((1, 1)) == pytest.approx(stored.resize((4, 4)).getpixel((1, 1)), abs=8)


def test_what_a_run_lacks_is_said(tmp_path: Path) -> None:
    lines = [{key: line[key] for key in ("Progress/kimg", "Loss/G/loss")} for line in stats_lines(3)]
    page = run_page(write_stats(tmp_path / "bare", lines))
    assert [note.partition(":")[0] for note in page.notes] == [
        "no chart of scores",
        "no chart of real scores per class",
        "no chart of spread per class",
        "no chart of augmentation",
        "no chart of r1 penalty",
        "no chart of speed",
    ]
    texts = Parts(page.text).texts
    assert "The folder holds no grids of samples." in texts
    assert "The folder holds no training_options.json." in texts
    assert set(page.notes) <= set(texts)


def test_a_grid_that_is_being_written_is_left_out_and_said(run: Path) -> None:
    path = run / "fakes000100.png"
    path.write_bytes(path.read_bytes()[:200])
    page = run_page(run)
    assert "100 kimg" not in Parts(page.text).images
    [note] = page.notes
    assert note.startswith(str(path))
    assert note.endswith(": left out")


def test_more_grids_than_a_page_holds_are_thinned_out(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", snapshots=range(4 * MAX_FRAMES), tiles=1)
    page = run_page(run)
    assert page.notes == (f"{MAX_FRAMES} of {4 * MAX_FRAMES + 1} sample grids are shown, evenly spread",)
    images = list(Parts(page.text).images)
    assert len(images) == MAX_FRAMES + 1
    assert (images[1], images[-1]) == ("before the training", f"{4 * MAX_FRAMES - 1} kimg")


def test_means_are_drawn_over_long_runs_alone_or_as_asked_for(tmp_path: Path) -> None:
    short = write_stats(tmp_path / "short", stats_lines(50))
    long = write_stats(tmp_path / "long", stats_lines(250))
    faint = [
        run_page(folder, window).text.count("opacity: 0.25")
        for folder, window in ((short, None), (long, None), (long, 0.0), (short, 20.0))
    ]
    assert [count > 0 for count in faint] == [False, True, False, True]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: None, "there is no such folder; name the folder of a run"),
        (lambda path: path.mkdir(), "it holds no stats.jsonl; is it the folder of a run?"),
        (lambda path: write_stats(path, []), "run: it has no lines yet"),
        (lambda path: (write_run(path) / "training_options.json").write_text("[1]"), "it must be a JSON object"),
        (lambda path: (write_run(path) / "training_options.json").write_text("{"), "no settings can be read"),
    ],
    ids=["nothing", "empty folder", "no lines", "a list", "damaged"],
)
def test_what_is_no_run_is_an_error(tmp_path: Path, make: object, message: str) -> None:
    make(tmp_path / "run")  # type: ignore[operator]
    with pytest.raises(DatasetError) as caught:
        run_page(tmp_path / "run")
    assert message in str(caught.value)


def test_a_chart_is_well_formed_and_in_the_colours_of_the_page(run: Path) -> None:
    stats = read_stats(run)
    found = [chart(kind, stats, number, 0.0) for number, kind in enumerate(KINDS)]
    for number, text in enumerate(found):
        root = ElementTree.fromstring(text)
        assert root.get("viewBox")
        assert "width" not in root.attrib
        assert all(item.startswith(f"c{number}-") for item in re.findall(r'\sid="([^"]*)"', text))
        assert "var(--ink)" in text
        assert "var(--c0)" in text
        assert "#222222" not in text
    assert [
        item.strip() for item in ElementTree.fromstring(found[2]).itertext() if item.strip().startswith("real,")
    ] == [
        "real, sparse",
        "real, medium",
        "real, dense",
    ]


def test_settings_inside_others_are_named_with_dots() -> None:
    options = {"a": 1, "b": {"c": {"d": "x"}, "e": [1, 2]}, "f": {}, "g": None}
    assert list(flatten_options(options)) == [("a", "1"), ("b.c.d", "x"), ("b.e", "[1, 2]"), ("f", "{}"), ("g", "null")]


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
def test_the_size_of_a_image_is_told_by_the_settings(options: dict[str, object], size: tuple[int, int] | None) -> None:
    assert tile_size(options) == size


@pytest.mark.parametrize(
    ("size", "tile", "shown"),
    [
        ((2560, 5120), (256, 256), (768, 1280)),
        ((2560, 5120), (512, 512), (512, 1024)),
        ((2560, 5120), None, (640, 1280)),
        ((2560, 5120), (300, 300), (640, 1280)),
        ((64, 96), (32, 32), (64, 96)),
        ((2048, 2048), (2048, 2048), (768, 768)),
    ],
)
def test_large_grids_are_cut_to_whole_images(
    tmp_path: Path, size: tuple[int, int], tile: tuple[int, int] | None, shown: tuple[int, int]
) -> None:
    path = tmp_path / "fakes000001.png"
    path.write_bytes(image_bytes(0, size, "PNG"))
    found = shown_grid(SampleGridFile(label="1 kimg", path=path), tile)
    assert found.size == shown
    with Image.open(io.BytesIO(found.jpeg)) as image:
        assert (image.height, image.width) == shown


def test_grids_come_in_the_order_of_the_training(tmp_path: Path) -> None:
    for name in ("fakes001000", "fakes000200", "fakes_init", "fakes", "fakesx", "other"):
        (tmp_path / f"{name}.png").write_bytes(b"")
    reals, fakes = sample_grids(tmp_path)
    assert reals is None
    assert [grid.label for grid in fakes] == ["before the training", "200 kimg", "1,000 kimg"]
    assert [grid.label for grid in evenly_spaced(fakes, 2)] == ["before the training", "1,000 kimg"]


def test_a_run_without_settings_has_none(tmp_path: Path) -> None:
    assert read_options(tmp_path) == {}
    (tmp_path / "training_options.json").write_text(json.dumps({"a": "ü"}))
    assert read_options(tmp_path) == {"a": "ü"}
