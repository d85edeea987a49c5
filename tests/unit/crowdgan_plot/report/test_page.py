"""HTML report of a run."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest
from PIL import Image

from crowdgan_core.errors import ConfigError, DatasetError
from crowdgan_core.io.run_folder import RunFolder
from crowdgan_core.utils.sampling import evenly_spaced
from crowdgan_plot.report.charts import CHARTS, draw_chart
from crowdgan_plot.report.page import MAX_FRAMES, render_report, write_run_report
from crowdgan_plot.report.previews import SampleGridFile, flatten_options, list_sample_grids, read_preview
from crowdgan_plot.training.stats import read_stats
from tests.support.run_folders import stats_lines, write_run, write_stats
from tests.support.sources import image_bytes


class PageParser(HTMLParser):
    """Texts, images, URLs and ids of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.images: dict[str, bytes] = {}
        self.charts: dict[str, bytes] = {}
        self.urls: list[str] = []
        self.ids: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        values = dict(attributes)
        self.urls += [value for name in ("src", "href", "xlink:href") if (value := values.get(name))]
        self.ids += [value for value in [values.get("id")] if value]
        if tag == "img":
            source, alt = values["src"], values["alt"]
            assert source is not None
            assert alt is not None
            media_type, _, encoded = source.partition(";base64,")
            files = {"data:image/jpeg": self.images, "data:image/svg+xml": self.charts}[media_type]
            files[alt] = base64.b64decode(encoded)

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.texts.append(data.strip())


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A complete run folder."""
    return write_run(tmp_path / "00007-<crowds> & co")


def test_a_report_is_complete_and_self_contained(run: Path) -> None:
    report = render_report(run)
    page = PageParser(report.page)
    assert report.notes == ()
    metrics = ["Kernel distance (lower is better)", "Precision and recall (0–1, higher is better)"]
    titles = [*metrics, *(spec.title for spec in CHARTS)]
    assert [text for text in page.texts if text in titles] == titles
    assert "pr_lite0_recall" in page.charts[metrics[1]].decode()
    assert list(page.charts) == titles
    assert list(page.images) == ["real images", "before training", "0 kimg", "100 kimg", "200 kimg"]
    assert all(url.startswith("data:") for url in page.urls)
    assert not re.search(r"@import|url\(", report.page)
    assert "00007-<crowds> & co" in page.texts
    assert ("loss_kwargs.r1_gamma", "2.0") in zip(page.texts, page.texts[1:], strict=False)
    assert "236 kimg" in page.texts
    assert "2h 01m" in page.texts
    assert len(set(page.ids)) == len(page.ids)


def test_a_report_is_written_to_a_file(run: Path, tmp_path: Path) -> None:
    dest = tmp_path / "run.html"
    assert write_run_report(str(run), str(dest)) == dest
    assert dest.read_text(encoding="utf-8") == render_report(RunFolder(run)).page
    with pytest.raises(DatasetError, match="already exists"):
        write_run_report(run, dest)
    with pytest.raises(ConfigError) as caught:
        write_run_report(run, tmp_path / "run.pdf", overwrite=True)
    assert str(caught.value) == f"{tmp_path / 'run.pdf'}: the file name must end in .html or .htm"


def test_images_of_a_report_are_those_of_the_folder(run: Path) -> None:
    names = {"real images": "reals", "before training": "fakes_init"}
    for alt, data in PageParser(render_report(run).page).images.items():
        name = names.get(alt) or f"fakes{int(alt.removesuffix(' kimg')):06d}"
        with Image.open(run / f"{name}.png") as stored, Image.open(io.BytesIO(data)) as preview:
            assert preview.size == stored.size
            expected = stored.resize((4, 4)).getpixel((1, 1))
            assert preview.resize((4, 4)).getpixel((1, 1)) == pytest.approx(expected, abs=8)


def test_missing_parts_of_a_run_are_reported(tmp_path: Path) -> None:
    lines = [{key: line[key] for key in ("Progress/kimg", "Loss/G/loss")} for line in stats_lines(3)]
    report = render_report(write_stats(tmp_path / "bare", lines))
    assert [note.partition(":")[0] for note in report.notes] == [
        "no chart of scores",
        "no chart of real scores per class",
        "no chart of diversity per class",
        "no chart of augmentation",
        "no chart of r1 penalty",
        "no chart of speed",
    ]
    texts = PageParser(report.page).texts
    assert "No sample grids in the run folder." in texts
    assert "No training_options.json in the run folder." in texts
    assert set(report.notes) <= set(texts)


def test_a_grid_that_is_still_being_written_is_skipped_with_a_message(run: Path) -> None:
    path = run / "fakes000100.png"
    path.write_bytes(path.read_bytes()[:200])
    report = render_report(run)
    assert "100 kimg" not in PageParser(report.page).images
    [note] = report.notes
    assert note.startswith(str(path))
    assert note.endswith("; skipped")


def test_too_many_grids_are_subsampled(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", snapshots=range(4 * MAX_FRAMES), tiles=1)
    report = render_report(run)
    assert report.notes == (f"{MAX_FRAMES} of {4 * MAX_FRAMES + 1} sample grids are included, evenly spaced",)
    images = list(PageParser(report.page).images)
    assert len(images) == MAX_FRAMES + 1
    assert (images[1], images[-1]) == ("before training", f"{4 * MAX_FRAMES - 1} kimg")


def test_curves_are_smoothed_in_long_runs_or_on_request(tmp_path: Path) -> None:
    short = write_stats(tmp_path / "short", stats_lines(50))
    long = write_stats(tmp_path / "long", stats_lines(250))
    is_smoothed = [
        any(b"opacity: 0.25" in chart for chart in PageParser(render_report(folder, window).page).charts.values())
        for folder, window in ((short, None), (long, None), (long, 0.0), (short, 20.0))
    ]
    assert is_smoothed == [False, True, False, True]


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda path: None, "no such folder; it must be a run folder"),
        (lambda path: path.mkdir(), "not a run folder; it contains no stats.jsonl"),
        (lambda path: write_stats(path, []), "run: no lines in the statistics yet"),
        (lambda path: (write_run(path) / "training_options.json").write_text("[1]"), "it must be a JSON object"),
        (lambda path: (write_run(path) / "training_options.json").write_text("{"), "cannot be read"),
    ],
    ids=["no folder", "empty folder", "no lines", "a list", "damaged"],
)
def test_a_path_that_is_not_a_run_is_an_error(tmp_path: Path, write: Callable[[Path], object], message: str) -> None:
    write(tmp_path / "run")
    with pytest.raises(DatasetError) as caught:
        render_report(tmp_path / "run")
    assert message in str(caught.value)


def test_a_chart_is_a_well_formed_svg_file_without_background(run: Path) -> None:
    stats = read_stats(run)
    roots = [ElementTree.fromstring(draw_chart(spec, stats, 0.0)) for spec in CHARTS]
    for root in roots:
        assert root.get("viewBox")
        [background] = root.findall(".//*[@id='patch_1']/*")
        assert "fill: none" in background.get("style", "") or "opacity: 0" in background.get("style", "")
    texts = [text.strip() for text in roots[2].itertext()]
    assert [text for text in texts if text.startswith("real,")] == ["real, sparse", "real, medium", "real, dense"]


def test_nested_options_have_dotted_names() -> None:
    options = {"a": 1, "b": {"c": {"d": "x"}, "e": [1, 2]}, "f": {}, "g": None}
    assert list(flatten_options(options)) == [("a", "1"), ("b.c.d", "x"), ("b.e", "[1, 2]"), ("f", "{}"), ("g", "null")]


@pytest.mark.parametrize(
    ("size", "image_size", "preview_size"),
    [
        ((2560, 5120), (256, 256), (768, 1280)),
        ((2560, 5120), (512, 512), (512, 1024)),
        ((2560, 5120), None, (640, 1280)),
        ((2560, 5120), (300, 300), (640, 1280)),
        ((64, 96), (32, 32), (64, 96)),
        ((2048, 2048), (2048, 2048), (768, 768)),
    ],
)
def test_large_grids_are_cut_between_images(
    tmp_path: Path, size: tuple[int, int], image_size: tuple[int, int] | None, preview_size: tuple[int, int]
) -> None:
    path = tmp_path / "fakes000001.png"
    path.write_bytes(image_bytes(0, size, "PNG"))
    preview = read_preview(SampleGridFile(label="1 kimg", path=path), image_size)
    assert preview.size == preview_size
    with Image.open(io.BytesIO(preview.jpeg)) as image:
        assert (image.height, image.width) == preview_size


def test_grids_are_in_the_order_of_training(tmp_path: Path) -> None:
    for name in ("fakes001000", "fakes000200", "fakes_init", "fakes", "fakesx", "other"):
        (tmp_path / f"{name}.png").write_bytes(b"")
    reals, fakes = list_sample_grids(RunFolder(tmp_path))
    assert reals == []
    assert [grid.label for grid in fakes] == ["before training", "200 kimg", "1,000 kimg"]
    assert [grid.label for grid in evenly_spaced(fakes, 2)] == ["before training", "1,000 kimg"]
