"""The command `report`: an HTML page of the densities of a source."""

from __future__ import annotations

import dataclasses
import json
from html.parser import HTMLParser
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from crowdgan_core.cli.app import build_tree
from crowdgan_core.errors import ConfigError, DatasetError
from crowdgan_core.plugins.discovery import installed_plugins
from crowdgan_core.synthetic import SyntheticConfig, write_synthetic_dataset
from crowdgan_density.density_report.page import MAX_ROWS, DensityReport, densest_images, render_density_report
from crowdgan_density.ground_plane.ground import GroundPlaneEstimator
from crowdgan_density.ground_plane.report import CameraReport, ImageReport
from crowdgan_density.zones.zone_report import ZoneReport


class PageParser(HTMLParser):
    """Title, facts, rows of tables, list items, and images with their addresses of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.items: list[str] = []
        self.images: dict[str, str] = {}
        self.title = ""
        self.facts: list[tuple[str, str]] = []
        self._value = ""
        self._tag = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._tag = tag
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")
        elif tag == "li":
            self.items.append("")
        elif tag == "img":
            values = dict(attrs)
            self.images[values["alt"] or ""] = values["src"] or ""

    def handle_endtag(self, tag: str) -> None:
        self._tag = ""

    def handle_data(self, data: str) -> None:
        if self._tag in ("td", "th"):
            self.rows[-1][-1] += data
        elif self._tag == "h1":
            self.title += data
        elif self._tag == "b":
            self._value = data
        elif self._tag == "span":
            self.facts.append((data, self._value))
        elif self._tag == "li" and self.items:
            self.items[-1] += data


@pytest.fixture(scope="module")
def crowds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five images of synthetic crowds."""
    folder = tmp_path_factory.mktemp("synthetic") / "crowds"
    write_synthetic_dataset(SyntheticConfig(images=5, size=(240, 320), max_people=60, seed=5), folder)
    return folder


def run(*arguments: str | Path) -> Result:
    command = [*map(str, arguments), "--workers", "1"]
    return CliRunner().invoke(build_tree(installed_plugins()), command, catch_exceptions=False)


def test_the_report_has_every_image_and_maps_of_the_densest(crowds: Path, tmp_path: Path) -> None:
    out, table = tmp_path / "report.html", tmp_path / "table.json"
    result = run("report", "--source", crowds, "--out", out, "--maps", "2")
    assert result.exit_code == 0, result.output
    page = PageParser(out.read_text(encoding="utf-8"))
    assert page.title == "crowds"
    run("calibrate", "--source", crowds, "--out", table)

    rows = {row["image"]: row for row in json.loads(table.read_text())}
    shown = {cells[0]: cells for cells in page.rows if cells[0] in rows}
    assert set(shown) == set(rows)
    for name, row in rows.items():
        assert shown[name][1] == str(row["person_count"])
        if row["density_per_m2"] is not None:
            assert shown[name][2:5] == [
                f"{row['density_per_m2']:.2f}",
                f"{row['interval_low_per_m2']:.2f} to {row['interval_high_per_m2']:.2f}",
                row["level"],
            ]
    num_known = sum(row["density_per_m2"] is not None for row in rows.values())
    num_people = sum(row["person_count"] for row in rows.values())
    counts = (5, num_known, 5 - num_known, num_people)
    names = ("images", "images with a density", "images with unknown density", "people")
    assert page.facts[:4] == [(name, str(count)) for name, count in zip(names, counts, strict=True)]
    assert result.stdout.startswith(", ".join(f"{name}: {count}" for name, count in zip(names, counts, strict=True)))
    maximum = max(row["density_per_m2"] or 0 for row in rows.values())
    assert ("persons/m², densest image", f"{maximum:.2f}") in page.facts
    densest = sorted(rows.values(), key=lambda row: -(row["density_per_m2"] or 0))[:2]
    assert list(page.images) == [row["image"] for row in densest]
    assert all(source.startswith("data:image/webp;base64,") for source in page.images.values())


def test_zones_are_a_table_of_the_report(crowds: Path, tmp_path: Path) -> None:
    out = tmp_path / "report.html"
    arguments = ("--source", crowds, "--zones", "groups")
    zones = json.loads(run("calibrate", *arguments, "--json").stdout)["zones"]
    assert run("report", *arguments, "--maps", "0", "--out", out).exit_code == 0
    rows = PageParser(out.read_text(encoding="utf-8")).rows
    for zone in zones:
        if zone["density_per_m2"] is not None:
            expected = [zone["image"], zone["zone"], f"{zone['density_per_m2']:.2f}"]
            assert [row for row in rows if row[:3] == expected and row[7] == f"{zone['area_m2']:.1f}"]


def test_existing_files_are_kept(crowds: Path, tmp_path: Path) -> None:
    out = tmp_path / "report.html"
    out.write_text("mine")
    with pytest.raises(DatasetError, match="exists"):
        run("report", "--source", crowds, "--out", out)
    assert out.read_text() == "mine"
    assert run("report", "--source", crowds, "--out", out, "--overwrite", "--maps", "0").exit_code == 0
    assert "<img" not in out.read_text(encoding="utf-8")
    with pytest.raises(ConfigError, match=r"\.html"):
        run("report", "--source", crowds, "--out", tmp_path / "report.pdf")


def test_names_and_reasons_are_escaped_and_warnings_shown() -> None:
    reports = [
        ImageReport(image="<script>", person_count=3, reason="a < b"),
        ImageReport(
            image="b",
            person_count=30,
            density_per_m2=0.5,
            interval_per_m2=(0.4, 0.6),
            peak_per_m2=1.2,
            level="C",
            peak_level="E",
            fractions_above=(0.9, 0.8, 0.3, 0.1, 0.0),
            warnings=("too low",),
        ),
    ]
    report = DensityReport(
        title="a & b", estimator=GroundPlaneEstimator(), reports=reports, warnings=["moved <camera>"]
    )
    html = render_density_report(report)
    page = PageParser(html)
    assert "<script>" not in html.split("<main>")[1].split("</main>")[0]
    assert "moved <camera>" in page.items
    assert any("1 of 2 images have warnings" in item for item in page.items)
    assert ["<script>", "3", *["–"] * 3, "1", *["–"] * 7] in page.rows
    assert "density unknown for 1 of 2 images: a < b" in page.items
    assert page.items.index("too low") == page.items.index("unknown: a < b") + 1
    assert "No density could be estimated" not in html
    assert [
        "b",
        "30",
        "0.50",
        "0.40 to 0.60",
        "C",
        "2",
        "1.20",
        "E",
        "90%",
        "80%",
        "30%",
        "10%",
        "0%",
    ] in page.rows
    assert ["C", "0.431 to 0.719", "1", "0"] in page.rows
    assert ["E", "1.08 to 2.17", "0", "1"] in page.rows
    assert densest_images(reports, 5) == ["b"]


def test_long_tables_are_cut_with_a_note() -> None:
    reports = [ImageReport(image=f"{number}", person_count=0, reason="none") for number in range(MAX_ROWS + 1)]
    page = PageParser(
        render_density_report(DensityReport(title="t", estimator=GroundPlaneEstimator(), reports=reports))
    )
    assert sum(cells[2:6] == ["–", "–", "–", "1"] for cells in page.rows) == MAX_ROWS
    assert page.items.count("unknown: none") == 1
    assert any(f"first {MAX_ROWS} of {MAX_ROWS + 1} images" in item for item in page.items)


def test_a_report_without_densities_says_so_at_the_top_with_the_most_frequent_reasons() -> None:
    reasons = [*["few"] * 4, *["heads"] * 5, "tilted", "tilted", "steep", "dark"]
    reports = [ImageReport(image=str(number), person_count=2, reason=reason) for number, reason in enumerate(reasons)]
    html = render_density_report(DensityReport(title="t", estimator=GroundPlaneEstimator(), reports=reports))
    box = html.split("<main>")[1].split("<h2>")[0]
    assert "No density could be estimated, so this report has no densities and no levels of service." in box
    assert PageParser(box).items == [
        "density unknown for 5 of 13 images: heads",
        "density unknown for 4 of 13 images: few",
        "density unknown for 2 of 13 images: tilted",
        "density unknown for 2 more images: see the table",
    ]
    assert "Levels of service" not in html
    zone = ZoneReport(image="0", zone="gate", person_count=1, area_m2=9.0, visible_fraction=1.0, density_per_m2=0.11)
    with_zone = DensityReport(title="t", estimator=GroundPlaneEstimator(), reports=reports, zone_reports=[zone])
    assert "No density could be estimated" not in render_density_report(with_zone)


def test_equal_cameras_are_not_written_as_a_range() -> None:
    camera = CameraReport(height_m=5.6, pitch_deg=37.0, focal_length_px=1000.0, focal_length_known=True, residual=0.05)
    tilted = dataclasses.replace(camera, height_m=6.25, pitch_deg=36.9)
    for cameras, height in (([camera, camera], "5.6 m"), ([tilted, camera], "5.6 to 6.2 m")):
        reports = [ImageReport(image=str(number), person_count=9, camera=item) for number, item in enumerate(cameras)]
        page = render_density_report(DensityReport(title="t", estimator=GroundPlaneEstimator(), reports=reports))
        rows = PageParser(page).rows
        assert ["camera height", height] in rows
        assert ["camera pitch", "37° below the horizontal"] in rows
