"""The dataset page in the browser."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from crowdgan_core.api import open_dataset, open_source
from crowdgan_core.datasets.inspection import ambiguous_images, class_boundaries
from crowdgan_core.datasets.protocols import DatasetReader
from crowdgan_plot.viewer.dataset.annotations import NO_SOURCE
from crowdgan_plot.viewer.dataset.view import PAGE_SIZE, DatasetView
from tests.support.labelled_crowds import crowd_name, label_crowds, num_people, write_crowds
from tests.support.viewer import open_browser, open_page, running_viewer

NUM_IMAGES = 70

TILES = "#grid .tile"

OPEN_DIALOG = "dialog#viewer[open]"


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_crowds(tmp_path_factory.mktemp("view") / "source", NUM_IMAGES)


@pytest.fixture(scope="module")
def reader(source: Path) -> Iterator[DatasetReader]:
    with open_dataset(label_crowds(source, source.parent / "crowds")) as reader:
        yield reader


@pytest.fixture(scope="module")
def address(reader: DatasetReader, source: Path) -> Iterator[str]:
    with running_viewer(DatasetView(reader, open_source(source))) as address:
        yield address


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with open_browser() as browser:
        yield browser


def wait_until(page: Any, condition: Callable[[], bool], attempts: int = 300) -> None:
    """Waits until a condition holds; Chromium cannot evaluate texts under the page's security policy."""
    for _ in range(attempts):
        if condition():
            return
        page.wait_for_timeout(50)
    pytest.fail("the condition does not hold")


def wait_for_count(page: Any, text: str) -> None:
    wait_until(page, lambda: page.inner_text("#count") == text)


def shown_indices(page: Any) -> list[int]:
    return [int(tile.get_attribute("data-index")) for tile in page.query_selector_all(TILES)]


def open_ready_page(browser: Any, address: str, query: str = "", **options: Any) -> Any:
    page, log = open_page(browser, address, query, **options)
    page.wait_for_selector(TILES)
    return page, log


def query_of(page: Any) -> dict[str, list[str]]:
    return parse_qs(urlsplit(page.url).query)


def wait_for_query(page: Any, /, **expected: str) -> None:
    """Waits until the address has these parameters and no others."""
    wait_until(page, lambda: query_of(page) == {name: [value] for name, value in expected.items()})


def wait_for_image(page: Any, selector: str) -> None:
    """Waits until an image is shown."""
    wait_until(page, lambda: page.eval_on_selector(selector, "image => image.complete && image.naturalWidth > 0"))


def test_the_page_shows_sixty_thumbnails_and_loads_those_in_view(browser: Any, address: str) -> None:
    page, log = open_ready_page(browser, address, viewport={"width": 500, "height": 400})
    assert page.inner_text("#count") == f"{NUM_IMAGES} images"
    assert shown_indices(page) == list(range(PAGE_SIZE))
    wait_for_image(page, f"{TILES} img")
    assert page.title() == "crowds – crowdgan"
    assert not any(f"thumbnail?index={PAGE_SIZE}" in url for url in log.requests)
    log.check()
    page.context.close()


def test_classes_densities_and_names_filter_the_images(browser: Any, address: str) -> None:
    page, log = open_ready_page(browser, address)
    page.check("#classes label:has-text('dense') input")
    dense = [index for index in range(NUM_IMAGES) if num_people(index) > 12]
    wait_until(page, lambda: len(shown_indices(page)) < PAGE_SIZE)
    assert set(shown_indices(page)) <= set(dense)
    assert page.inner_text("#count") == f"{len(shown_indices(page))} of {NUM_IMAGES} images"
    wait_for_query(page, classes="2")
    page.uncheck("#classes label:has-text('dense') input")
    wait_for_count(page, f"{NUM_IMAGES} images")

    page.fill('[data-parameter="min"]', "3")
    page.fill('[data-parameter="max"]', "8")
    expected = [index for index in range(NUM_IMAGES) if 3 <= num_people(index) <= 8]
    wait_for_count(page, f"{len(expected)} of {NUM_IMAGES} images")
    assert shown_indices(page) == expected

    page.click("#reset")
    wait_for_count(page, f"{NUM_IMAGES} images")
    assert page.input_value('[data-parameter="min"]') == ""
    page.fill('[data-parameter="search"]', crowd_name(17).upper())
    wait_for_count(page, f"1 of {NUM_IMAGES} images")
    assert shown_indices(page) == [17]
    page.fill('[data-parameter="search"]', "nothing")
    wait_for_count(page, "No image matches the filters.")
    assert shown_indices(page) == []
    log.check()
    page.context.close()


def test_only_ambiguous_images_are_shown(browser: Any, address: str, reader: DatasetReader) -> None:
    page, log = open_ready_page(browser, address)
    page.check('[data-parameter="ambiguous"]')
    near = ambiguous_images(reader.metadata, class_boundaries(reader.metadata))
    wait_for_count(page, f"{len(near)} of {NUM_IMAGES} images")
    names = {tile.get_attribute("title") for tile in page.query_selector_all(TILES)}
    assert names == {record.name for record in near}
    log.check()
    page.context.close()


def test_images_are_sorted_in_both_directions(browser: Any, address: str, reader: DatasetReader) -> None:
    page, log = open_ready_page(browser, address)
    records = reader.metadata.images
    ascending = sorted(range(NUM_IMAGES), key=lambda index: records[index].density or 0)
    page.select_option('[data-parameter="sort"]', "density")
    wait_until(page, lambda: shown_indices(page) == ascending[:PAGE_SIZE])
    descending = sorted(range(NUM_IMAGES), key=lambda index: -(records[index].density or 0))
    page.select_option('[data-parameter="order"]', "descending")
    wait_until(page, lambda: shown_indices(page) == descending[:PAGE_SIZE])
    wait_for_query(page, sort="density", order="descending")
    log.check()
    page.context.close()


def test_pages_are_turned(browser: Any, address: str) -> None:
    page, log = open_ready_page(browser, address, "search=abc")
    assert page.is_disabled(".summary [data-step='-1']")
    page.click(".summary [data-step='1']")
    wait_until(page, lambda: shown_indices(page) == list(range(PAGE_SIZE, NUM_IMAGES)))
    assert page.inner_text(".summary .page-number") == "page 2 of 2"
    assert page.is_disabled(".summary [data-step='1']")
    wait_for_query(page, search="abc", page="2")
    page.click(".summary [data-step='-1']")
    wait_until(page, lambda: shown_indices(page) == list(range(PAGE_SIZE)))
    log.check()
    page.context.close()


def test_a_click_opens_an_image_with_its_record(browser: Any, address: str, reader: DatasetReader) -> None:
    page, log = open_ready_page(browser, address)
    page.click(f"{TILES}[data-index='9']")
    page.wait_for_selector(OPEN_DIALOG)
    wait_for_image(page, "#full-image")
    record = reader.metadata.images[9]
    text = page.inner_text("#record")
    for part in (record.name, record.source, f"{record.density:g} persons", "Class boundary", "Ambiguous"):
        assert str(part) in text
    assert f"Class\n{reader.metadata.classes[int(str(record.label))]}" in text
    wait_for_query(page, open="9")
    page.click("#close")
    page.wait_for_selector(OPEN_DIALOG, state="detached")
    wait_until(page, lambda: query_of(page) == {})
    log.check()
    page.context.close()


def test_the_dialog_works_by_keyboard(browser: Any, address: str) -> None:
    page, log = open_ready_page(browser, address)
    page.focus(f"{TILES}[data-index='1']")
    page.keyboard.press("Enter")
    page.wait_for_selector(OPEN_DIALOG)
    page.keyboard.press("ArrowLeft")
    wait_for_query(page, open="0")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    wait_for_query(page, open="2")
    page.keyboard.press("Escape")
    page.wait_for_selector(OPEN_DIALOG, state="detached")
    assert page.evaluate("document.activeElement.dataset.index") == "2"
    log.check()
    page.context.close()


def test_the_next_image_may_be_on_the_next_page(browser: Any, address: str) -> None:
    page, log = open_ready_page(browser, address, f"open={PAGE_SIZE - 1}")
    page.wait_for_selector(OPEN_DIALOG)
    page.click("#next")
    wait_for_query(page, open=str(PAGE_SIZE), page="2")
    page.click("#previous")
    wait_for_query(page, open=str(PAGE_SIZE - 1))
    log.check()
    page.context.close()


def test_boxes_and_the_estimate_appear_on_request(browser: Any, address: str, reader: DatasetReader) -> None:
    page, log = open_ready_page(browser, address, "open=4")
    page.wait_for_selector(OPEN_DIALOG)
    assert page.query_selector("#boxes rect") is None
    assert not page.is_visible("#estimate")
    page.check(f"{OPEN_DIALOG} [data-parameter='people']")
    page.wait_for_selector("#boxes rect.person")
    assert len(page.query_selector_all("#boxes rect.person")) == reader.metadata.images[4].person_count
    assert len(page.query_selector_all("#boxes rect.ignored")) == 1
    page.check(f"{OPEN_DIALOG} [data-parameter='estimate']")
    page.wait_for_selector("#estimate", timeout=60_000)
    wait_for_image(page, "#estimate")
    assert page.get_attribute("#estimate", "alt") == f"Density estimate of {reader.metadata.images[4].name}"
    page.uncheck(f"{OPEN_DIALOG} [data-parameter='estimate']")
    page.wait_for_selector("#estimate", state="hidden")
    wait_for_query(page, open="4", people="1")
    log.check()
    page.context.close()


def test_boxes_are_drawn_on_thumbnails(browser: Any, address: str) -> None:
    page, log = open_ready_page(browser, address)
    page.check("[data-parameter='boxes']")
    page.wait_for_selector(f"{TILES} img[src*='boxes=1']")
    wait_for_image(page, f"{TILES} img")
    wait_for_query(page, boxes="1")
    log.check()
    page.context.close()


def test_the_state_survives_a_reload(browser: Any, address: str) -> None:
    page, log = open_ready_page(browser, address)
    page.check("#classes label:has-text('medium') input")
    page.fill('[data-parameter="min"]', "7")
    page.select_option('[data-parameter="sort"]', "persons")
    wait_for_query(page, classes="1", min="7", sort="persons")
    expected = sorted(filter(lambda index: 7 <= num_people(index) <= 12, range(NUM_IMAGES)), key=num_people)
    wait_until(page, lambda: shown_indices(page) == expected)
    indices = shown_indices(page)
    page.click(f"{TILES} >> nth=2")
    page.wait_for_selector(OPEN_DIALOG)
    page.check(f"{OPEN_DIALOG} [data-parameter='people']")
    wait_for_query(page, classes="1", min="7", sort="persons", open=str(indices[2]), people="1")
    page.reload()
    page.wait_for_selector(OPEN_DIALOG)
    page.wait_for_selector("#boxes rect.person")
    assert shown_indices(page) == indices
    assert page.is_checked("#classes label:has-text('medium') input")
    assert page.input_value('[data-parameter="min"]') == "7"
    assert page.input_value('[data-parameter="sort"]') == "persons"
    log.check()
    page.context.close()


def test_a_damaged_image_is_named_in_its_place(browser: Any, source: Path, tmp_path: Path) -> None:
    folder = label_crowds(source, tmp_path / "damaged")
    path = sorted(folder.rglob("*.png"))[2]
    path.write_bytes(path.read_bytes()[:200])
    with open_dataset(folder) as reader, running_viewer(DatasetView(reader)) as address:
        page, _ = open_ready_page(browser, address)
        page.wait_for_selector(f"{TILES}[data-index='2'] .damaged")
        wait_for_image(page, f"{TILES}[data-index='1'] img")
        page.click(f"{TILES}[data-index='2']")
        page.wait_for_selector("#damaged")
        assert page.inner_text("#damaged") == "damaged"
        wait_until(page, lambda: "damaged or unreadable image" in page.inner_text("#record"))
        assert not page.is_visible("#full-image")
        page.click("#next")
        page.wait_for_selector("#full-image")
        assert not page.is_visible("#damaged")
        page.context.close()


def test_an_invalid_address_shows_a_message(browser: Any, address: str) -> None:
    page, _ = open_page(browser, address, "min=low")
    page.wait_for_selector("#alert")
    assert page.inner_text("#alert").startswith("min is 'low'; it must be a number")
    page.context.close()


def test_without_a_source_the_page_says_how_to_show_boxes(browser: Any, reader: DatasetReader) -> None:
    with running_viewer(DatasetView(reader)) as address:
        page, log = open_ready_page(browser, address, "boxes=1&open=3&people=1&estimate=1")
        page.wait_for_selector(OPEN_DIALOG)
        assert page.inner_text("#source-hint") == page.inner_text("#viewer-hint") == NO_SOURCE
        for name in ("boxes", "people", "estimate"):
            assert page.is_disabled(f"[data-parameter='{name}']")
            assert not page.is_checked(f"[data-parameter='{name}']")
        wait_for_image(page, "#full-image")
        log.check()
        page.context.close()


@pytest.mark.parametrize("width", [380, 1600])
def test_the_page_and_the_dialog_fit_the_window(browser: Any, address: str, width: int) -> None:
    page, log = open_ready_page(
        browser, address, "open=4&people=1&estimate=1", viewport={"width": width, "height": 800}
    )
    page.wait_for_selector("#estimate", timeout=60_000)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.eval_on_selector("#viewer", "dialog => dialog.scrollWidth - dialog.clientWidth") == 0
    page.keyboard.press("Escape")
    page.wait_for_selector(OPEN_DIALOG, state="detached")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    log.check()
    page.context.close()


def test_the_page_is_light_or_dark(browser: Any, address: str) -> None:
    colours = []
    for scheme in ("light", "dark"):
        page, log = open_ready_page(browser, address, color_scheme=scheme)
        colours.append(page.eval_on_selector("body", "body => getComputedStyle(body).backgroundColor"))
        log.check()
        page.context.close()
    assert colours == ["rgb(255, 255, 255)", "rgb(22, 24, 27)"]
