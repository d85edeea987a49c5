"""Source distributions and wheels are complete, and the package index can show their descriptions."""

from __future__ import annotations

import email
import re
import subprocess
import sys
import tarfile
import zipfile
from dataclasses import dataclass
from email.message import Message
from functools import cached_property
from html.parser import HTMLParser
from pathlib import Path

import pytest
from readme_renderer import markdown

from tests.support.pages import ROOT

PACKAGES = sorted(path.parent for path in ROOT.glob("packages/*/pyproject.toml"))


@dataclass
class Distributions:
    """The distributions of a package, and their files by path, without the folder of the version in the sdist."""

    package: Path
    sdist: Path
    wheel: Path
    wheel_of_sdist: Path

    @property
    def sources(self) -> set[str]:
        """Paths of the source files in the repository, relative to the folder of the package."""
        files = (path for path in (self.package / "src").rglob("*") if path.is_file())
        return {path.relative_to(self.package).as_posix() for path in files if path.parent.name != "__pycache__"}

    @cached_property
    def metadata(self) -> Message:
        """The metadata in the wheel; its payload is the description of the package."""
        (metadata,) = (data for name, data in wheel_files(self.wheel).items() if name.endswith(".dist-info/METADATA"))
        return email.message_from_bytes(metadata)

    @cached_property
    def page(self) -> Page:
        """The description as the package index shows it."""
        assert self.metadata["Description-Content-Type"] == "text/markdown"
        page = Page()
        page.feed(markdown.render(str(self.metadata.get_payload(decode=True), "utf-8")) or "")
        return page


class Page(HTMLParser):
    """URLs of the links and images of an HTML page, its title, and the ids of its elements."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.images: list[str] = []
        self.title = ""
        self.ids: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag == "a" and "href" in values:
            self.links.append(values["href"])
        if tag == "img":
            self.images.append(values.get("src", ""))
        if "id" in values:
            self.ids.add(values["id"])

    def handle_data(self, data: str) -> None:
        if self.lasttag == "h1":
            self.title += data


def build(folder: Path, out: Path, target: str) -> Path:
    """Builds the sdist or wheel of a folder with the build backend of the packages, and returns its path."""
    command = [sys.executable, "-m", "hatchling", "build", "--target", target, "--directory", str(out)]
    subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=120)
    (path,) = out.iterdir()
    return path


def wheel_files(path: Path) -> dict[str, bytes]:
    """Contents of the files of a wheel."""
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture(scope="module", params=PACKAGES, ids=lambda path: path.name)
def distributions(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Distributions:
    """The distributions of a package, built in a temporary folder."""
    folder = tmp_path_factory.mktemp("distributions")
    sdist = build(request.param, folder / "sdist", "sdist")
    with tarfile.open(sdist) as archive:
        archive.extractall(folder / "unpacked", filter="data")
    (unpacked,) = (folder / "unpacked").iterdir()
    wheel = build(request.param, folder / "wheel", "wheel")
    return Distributions(request.param, sdist, wheel, build(unpacked, folder / "wheel_of_sdist", "wheel"))


def test_the_sdist_has_the_sources_and_documents(distributions: Distributions) -> None:
    with tarfile.open(distributions.sdist) as archive:
        files = {name.partition("/")[2] for name in archive.getnames()}
    documents = {"LICENSE", "README.md", "CHANGELOG.md", "pyproject.toml"}
    assert files - {"PKG-INFO", ".gitignore"} == distributions.sources | documents


def test_the_wheel_has_the_sources(distributions: Distributions) -> None:
    files = {name for name in wheel_files(distributions.wheel) if ".dist-info/" not in name}
    assert {f"src/{name}" for name in files} == distributions.sources


def test_the_wheel_has_the_licence(distributions: Distributions) -> None:
    licences = [data for name, data in wheel_files(distributions.wheel).items() if name.endswith("/licenses/LICENSE")]
    assert licences == [(ROOT / "LICENSE").read_bytes()]


def test_the_wheel_of_the_sdist_equals_that_of_the_repository(distributions: Distributions) -> None:
    assert wheel_files(distributions.wheel_of_sdist) == wheel_files(distributions.wheel)


def test_the_description_is_rendered_with_targets_of_links_in_the_page(distributions: Distributions) -> None:
    page = distributions.page
    assert page.title == distributions.metadata["Name"] == distributions.package.name
    assert {link for link in page.links if link.startswith("#")} <= {f"#{name}" for name in page.ids}


def repository_file(url: str, metadata: Message) -> Path | None:
    """The file of this repository that is shown at a URL of its host or of its documentation; None for other sites."""
    sites = dict(line.split(", ", 1) for line in metadata.get_all("Project-URL", []))
    site, host = sites["Documentation"], sites["Source"].removeprefix("https://github.com/")
    path = url.partition("#")[0]
    if match := re.match(
        rf"https://(raw\.githubusercontent\.com/{host}|github\.com/{host}/(blob|raw|tree))/main/", path
    ):
        return ROOT / path[match.end() :]
    if path.startswith(site):
        page = ROOT / "docs" / path.removeprefix(site).rstrip("/")
        return page / "index.md" if page.is_dir() else page.with_suffix(page.suffix or ".md")
    return None


def test_links_of_the_description_are_absolute_and_lead_to_existing_files(distributions: Distributions) -> None:
    links = [link for link in distributions.page.links if not link.startswith("#")]
    assert [link for link in links if not link.startswith("https://")] == []
    files = {link: repository_file(link, distributions.metadata) for link in links}
    assert [link for link, file in files.items() if file is not None and not file.exists()] == []


def test_images_of_the_description_are_files_of_the_repository(distributions: Distributions) -> None:
    files = {image: repository_file(image, distributions.metadata) for image in distributions.page.images}
    assert [image for image, file in files.items() if file is None or not file.is_file()] == []
