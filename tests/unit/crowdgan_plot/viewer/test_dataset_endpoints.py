"""Requests of the dataset page."""

from __future__ import annotations

import io
import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from email.message import Message
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from crowdgan_core.api import open_dataset, open_source
from crowdgan_core.datasets.inspection import ambiguous_images, class_boundaries
from crowdgan_core.datasets.metadata import DatasetMetadata, ImageRecord
from crowdgan_core.datasets.protocols import DatasetReader
from crowdgan_core.density.class_bounds import ClassBounds
from crowdgan_core.io.stored_images import ArrayImage
from crowdgan_core.utils.arrays import ImageArray
from crowdgan_plot.viewer.dataset.annotations import NO_SOURCE
from crowdgan_plot.viewer.dataset.view import PAGE_SIZE, DatasetView
from tests.support.labelled_crowds import label_crowds, num_people, write_crowds
from tests.support.viewer import TOKEN, running_viewer

NUM_IMAGES = 70

DAMAGED = 5


class Client:
    """Requests to a viewer with its token."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
        self.get(f"?token={TOKEN}")

    def get(self, path: str) -> tuple[bytes, Message]:
        with self._opener.open(f"{self._address}/{path}") as response:
            return response.read(), response.headers

    def json(self, path: str) -> Any:
        return json.loads(self.get(path)[0], parse_constant=pytest.fail)

    def error(self, path: str) -> str:
        """The message of a request that is refused."""
        with pytest.raises(urllib.error.HTTPError) as error:
            self.get(path)
        assert error.value.code == 400
        message: str = json.loads(error.value.read())["error"]
        return message

    def page_data(self) -> Any:
        text = self.get("")[0].decode()
        return json.loads(text.partition('id="page-data">')[2].partition("</script>")[0])


class MemoryReader(DatasetReader):
    """A dataset of black images in memory."""

    def __init__(self, metadata: DatasetMetadata) -> None:
        self.path, self.metadata = Path("memory"), metadata

    def image(self, index: int) -> ImageArray:
        return np.zeros((8, 8, 3), np.uint8)

    def stored_image(self, index: int) -> ArrayImage:
        return ArrayImage(self.image(index), str(index))

    def close(self) -> None:
        pass


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_crowds(tmp_path_factory.mktemp("endpoints") / "source", NUM_IMAGES)


@pytest.fixture(scope="module")
def dataset(source: Path) -> Path:
    """A dataset in a folder, of which one image is damaged."""
    folder = label_crowds(source, source.parent / "crowds")
    path = sorted(folder.rglob("*.png"))[DAMAGED]
    path.write_bytes(path.read_bytes()[:200])
    return folder


@pytest.fixture(scope="module")
def client(dataset: Path, source: Path) -> Iterator[Client]:
    with open_dataset(dataset) as reader, running_viewer(DatasetView(reader, open_source(source))) as address:
        yield Client(address)


def memory_client(metadata: DatasetMetadata) -> Any:
    return running_viewer(DatasetView(MemoryReader(metadata)))


def test_the_first_page_has_records_in_the_order_of_the_dataset(client: Client, dataset: Path) -> None:
    result = client.json("records")
    assert (result["total"], result["page"], result["pages"]) == (NUM_IMAGES, 1, 2)
    assert [item["index"] for item in result["items"]] == list(range(PAGE_SIZE))
    with open_dataset(dataset) as reader:
        record, metadata = reader.metadata.images[3], reader.metadata
    assert record.density is not None
    assert metadata.class_bounds is not None
    assert result["items"][3] == {
        "index": 3,
        "name": record.name,
        "source": record.source,
        "density": record.density,
        "class": record.label,
        "label": None,
        "persons": record.person_count,
        "is_ambiguous": record in ambiguous_images(metadata, class_boundaries(metadata)),
        "distance": min(abs(record.density - value) for value in metadata.class_bounds.values),
    }


def test_a_page_after_the_last_one_is_the_last_one(client: Client) -> None:
    for page in (2, 7):
        result = client.json(f"records?page={page}")
        assert result["page"] == 2
        assert [item["index"] for item in result["items"]] == list(range(PAGE_SIZE, NUM_IMAGES))


def test_filters_and_order_are_applied(client: Client) -> None:
    query = "classes=1,2&min=7&max=20&search=ABC0&unknown=exclude&sort=density&order=descending"
    items = client.json(f"records?{query}")["items"]
    densities = [item["density"] for item in items]
    assert densities == sorted(densities, reverse=True)
    expected = {index for index in range(NUM_IMAGES) if 7 <= num_people(index) <= 20}
    assert {item["index"] for item in items} <= expected
    assert len(items) > 10


def test_no_image_is_one_empty_page(client: Client) -> None:
    assert client.json("records?search=nothing") == {"total": 0, "page": 1, "pages": 1, "items": []}


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("records?page=0", "page is '0'; it must be an integer from 1 to 71"),
        ("records?classes=3", "classes is '3'; it must be indices of the 3 classes, for example 0,2"),
        ("records?classes=-1", "classes is '-1'; it must be indices of the 3 classes, for example 0,2"),
        ("records?classes=0,,1", "classes is '0,,1'; it must be indices of the 3 classes, for example 0,2"),
        ("records?min=nan", "min is 'nan'; it must be a number from -1e+12 to 1e+12"),
        ("records?ambiguous=2", "ambiguous is '2'; it must be an integer from 0 to 1"),
        ("records?sort=size", "sort is 'size'; choose from dataset, density, persons, name, source, distance"),
        ("records?order=up", "order is 'up'; choose from ascending, descending"),
        ("records?name=a", "unknown parameter 'name'"),
        ("thumbnail", "index is missing; it must be the index of an image of the dataset"),
        ("thumbnail?index=70", "index is '70'; it must be an integer from 0 to 69"),
        ("thumbnail?index=-1", "index is '-1'; it must be an integer from 0 to 69"),
        ("thumbnail?index=0&path=a", "unknown parameter 'path'"),
        ("image?index=a", "index is 'a'; it must be an integer from 0 to 69"),
        ("image?index=0&boxes=1", "unknown parameter 'boxes'"),
        ("people?index=70", "index is '70'; it must be an integer from 0 to 69"),
        ("overlay?index=0&index=1", "'index' is given twice"),
    ],
)
def test_invalid_parameters_are_errors(client: Client, path: str, message: str) -> None:
    assert client.error(path) == message


def test_images_are_png_files_that_browsers_store_for_this_session_only(client: Client, dataset: Path) -> None:
    session = client.page_data()["session"]
    data, headers = client.get(f"image?index=2&session={session}")
    assert (headers["Content-Type"], headers["Cache-Control"]) == ("image/png", "private, max-age=3600")
    with open_dataset(dataset) as reader:
        np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(data))), reader.image(2))
    data, headers = client.get(f"thumbnail?index=2&session={session}")
    assert Image.open(io.BytesIO(data)).size == (48, 48)
    assert headers["Cache-Control"] == "private, max-age=3600"
    for path in ("thumbnail?index=2", "image?index=2&session=other"):
        assert client.get(path)[1]["Cache-Control"] == "no-store"


def test_thumbnails_show_boxes_on_request(client: Client) -> None:
    assert client.get("thumbnail?index=1&boxes=0")[0] == client.get("thumbnail?index=1")[0]
    assert Image.open(io.BytesIO(client.get("thumbnail?index=1&boxes=1")[0])).size == (200, 200)


def test_boxes_are_json(client: Client) -> None:
    boxes = client.json("people?index=1")
    assert boxes["size"] == [48, 48]
    assert len(boxes["people"]) == num_people(1)
    assert boxes["people"][0] == [1.6, 16.0, 6.4, 19.2]
    assert boxes["heads"] == []


def test_the_estimate_is_a_figure(client: Client) -> None:
    data, headers = client.get("overlay?index=1&client=a")
    assert headers["Content-Type"] == "image/png"
    assert Image.open(io.BytesIO(data)).width > 400


def test_a_damaged_image_is_an_error_that_names_it(client: Client) -> None:
    for path in ("thumbnail", "image"):
        message = client.error(f"{path}?index={DAMAGED}")
        assert f"img{DAMAGED:08}.png: damaged or unreadable image" in message
    assert len(client.json("records")["items"]) == PAGE_SIZE


def test_the_page_describes_the_dataset(client: Client) -> None:
    data = client.page_data()
    assert data["classes"] == ["sparse", "medium", "dense"]
    assert (data["size"], data["total"], data["region"]) == ([48, 48], NUM_IMAGES, "crop")
    assert data["unit"] == "persons"
    assert data["sort_keys"] == ["dataset", "density", "persons", "name", "source", "distance"]
    assert data["has_unknown"] is False
    assert data["boxes_problem"] is data["estimate_problem"] is None
    edges, counts = data["histogram"]
    assert len(counts) == 3
    assert sum(map(sum, counts)) == NUM_IMAGES
    assert edges[0] == 0


def test_without_a_source_the_page_says_how_to_show_boxes(dataset: Path) -> None:
    with open_dataset(dataset) as reader, running_viewer(DatasetView(reader)) as address:
        client = Client(address)
        data = client.page_data()
        assert data["boxes_problem"] == data["estimate_problem"] == NO_SOURCE
        assert client.error("people?index=0") == client.error("overlay?index=0") == NO_SOURCE
        assert client.get("thumbnail?index=0&boxes=1")[0] == client.get("thumbnail?index=0")[0]


def test_unknown_values_are_null(dataset: Path) -> None:
    images = (ImageRecord(name="a", label=0), ImageRecord(name="b", label=1, density=1.5))
    metadata = DatasetMetadata(
        estimator="grid",
        classes=("low", "high"),
        class_bounds=ClassBounds(values=(1.0,)),
        label_kind="class",
        images=images,
    )
    with memory_client(metadata) as address:
        client = Client(address)
        first, second = client.json("records")["items"]
        assert client.page_data()["has_unknown"] is True
    assert first["density"] is first["distance"] is first["persons"] is first["source"] is None
    assert (second["density"], second["distance"]) == (1.5, 0.5)


def test_continuous_labels_are_shown_as_numbers() -> None:
    metadata = DatasetMetadata(label_kind="value", images=(ImageRecord(name="a", label=(1.0, 2.5)),))
    with memory_client(metadata) as address:
        client = Client(address)
        assert client.json("records")["items"][0]["label"] == [1.0, 2.5]
        assert client.page_data()["histogram"] is None
        assert client.error("records?classes=0").startswith("classes is '0'")


def test_an_empty_dataset_has_a_page() -> None:
    with memory_client(DatasetMetadata()) as address:
        client = Client(address)
        assert client.page_data()["size"] is None
        assert client.json("records") == {"total": 0, "page": 1, "pages": 1, "items": []}
        assert client.error("thumbnail?index=0").startswith("index is missing")


def test_a_hundred_thousand_images_are_filtered_and_sorted() -> None:
    densities = np.random.default_rng(0).gamma(2, 1, 100_000)
    labels = np.searchsorted([1, 3], densities)
    images = tuple(
        ImageRecord(name=f"{index:08}.png", density=float(density), label=int(label))
        for index, (density, label) in enumerate(zip(densities, labels, strict=True))
    )
    bounds = ClassBounds(values=(1.0, 3.0))
    metadata = DatasetMetadata(
        estimator="grid", classes=("a", "b", "c"), class_bounds=bounds, label_kind="class", images=images
    )
    with memory_client(metadata) as address:
        result = Client(address).json("records?classes=1&search=7.png&sort=density&order=descending&page=3")
    matching = [record for record in images if record.label == 1 and record.name.endswith("7.png")]
    matching.sort(key=lambda record: -(record.density or 0))
    assert result["total"] == len(matching)
    assert [item["name"] for item in result["items"]] == [
        record.name for record in matching[2 * PAGE_SIZE : 3 * PAGE_SIZE]
    ]
