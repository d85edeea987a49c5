"""The dataset page: images of a dataset with their records, filtered and sorted."""

from __future__ import annotations

import math
import re
import secrets
from collections.abc import Callable, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from crowdgan_core.api import NamedSource
from crowdgan_core.datasets.protocols import DatasetReader
from crowdgan_core.errors import ConfigError, CrowdganError, DatasetError
from crowdgan_plot.viewer.app import render_page
from crowdgan_plot.viewer.dataset.annotations import ImageAnnotations, ImageBoxes
from crowdgan_plot.viewer.dataset.selection import SORT_KEYS, UNKNOWN_POLICIES, RecordTable, Selection
from crowdgan_plot.viewer.dataset.thumbnails import make_thumbnail
from crowdgan_plot.viewer.encoding import encode_image, image_response
from crowdgan_plot.viewer.jobs import LatestJobs, Priority
from crowdgan_plot.viewer.query import Query

PAGE_SIZE = 60
"""Images per page of the grid."""

MAX_DENSITY = 1e12
"""Largest absolute density in a query."""

CLASS_LIST = re.compile(r"\d{1,6}(,\d{1,6})*", re.ASCII)

CACHE_HEADERS = {"Cache-Control": "private, max-age=3600"}
"""Headers of images, which do not change while the viewer runs."""


class DatasetView:
    """View of a dataset.

    Args:
        reader: the open dataset.
        source: the source of the dataset, whose annotations are shown; None without them.
        jobs: runs the computations; None for a new thread.
    """

    def __init__(
        self, reader: DatasetReader, source: NamedSource | None = None, jobs: LatestJobs | None = None
    ) -> None:
        self.title = reader.path.resolve().name
        self._reader, self._jobs = reader, jobs or LatestJobs()
        self._annotation_jobs = LatestJobs()  # reading a large source does not delay images
        self._table = RecordTable(reader.metadata)
        self._annotations = ImageAnnotations(reader, source)
        self._session = secrets.token_hex(4)  # part of image addresses: another viewer may use the same port later

    def routes(self) -> Sequence[BaseRoute]:
        """The page, records, images, boxes and estimates."""
        return [
            Route("/", self._page),
            Route("/records", self._records),
            Route("/thumbnail", self._thumbnail),
            Route("/image", self._full_image),
            Route("/people", self._people),
            Route("/overlay", self._overlay),
        ]

    async def _page(self, request: Request) -> Response:
        data = await self._jobs.run(None, self._describe)
        return render_page("dataset.html", title=self.title, data=data)

    async def _records(self, request: Request) -> Response:
        """One page of the records of the selected images."""
        query = Query(request.query_params)
        selection = self._read_selection(query)
        page = query.integer("page", 1, 1, len(self._reader) + 1)
        query.end()
        return JSONResponse(await self._jobs.run(None, lambda: self._record_page(selection, page)))

    async def _thumbnail(self, request: Request) -> Response:
        """A small image, with boxes where the source has them."""
        query = Query(request.query_params)
        index, headers = self._read_index(query), self._read_session(query)
        has_boxes = query.integer("boxes", 0, 0, 1) == 1
        query.end()
        boxes = await self._annotation_jobs.run(None, lambda: self._boxes_or_none(index)) if has_boxes else None
        return await self._image(
            lambda: encode_image(make_thumbnail(self._reader.image(index), boxes)), headers, "strip"
        )

    async def _full_image(self, request: Request) -> Response:
        """An image in its full size."""
        query = Query(request.query_params)
        index, headers = self._read_index(query), self._read_session(query)
        query.end()
        return await self._image(lambda: encode_image(self._reader.image(index)), headers, "image")

    async def _people(self, request: Request) -> Response:
        """Boxes of the people in an image."""
        query = Query(request.query_params)
        index = self._read_index(query)
        query.end()
        return JSONResponse(await self._annotation_jobs.run(None, lambda: self._annotations.boxes(index).to_json()))

    async def _overlay(self, request: Request) -> Response:
        """The figure of a density estimate; a newer request of the same client replaces one that waits."""
        query = Query(request.query_params)
        index, client = self._read_index(query), query.text("client")
        query.end()
        key = f"{client} overlay"
        figure = await self._annotation_jobs.run(key, lambda: self._annotations.estimate_figure(index))
        return image_response(figure)

    async def _image(self, encode: Callable[[], bytes], headers: dict[str, str], priority: Priority) -> Response:
        response = image_response(await self._jobs.run(None, encode, priority))
        response.headers.update(headers)
        return response

    def _read_index(self, query: Query) -> int:
        """Index of an image of the dataset."""
        index = query.optional_integer("index", 0, max(0, len(self._reader) - 1))
        if index is None or index >= len(self._reader):
            raise ConfigError("index is missing; it must be the index of an image of the dataset")
        return index

    def _read_session(self, query: Query) -> dict[str, str]:
        """Headers of an image, which browsers may store if its address names this session."""
        return CACHE_HEADERS if query.text("session") == self._session else {}

    def _read_selection(self, query: Query) -> Selection:
        """Filters and order of a query."""
        unknown: Any = query.choice("unknown", UNKNOWN_POLICIES)
        sort: Any = query.choice("sort", SORT_KEYS)
        return Selection(
            classes=self._read_classes(query),
            min_density=query.optional_number("min", -MAX_DENSITY, MAX_DENSITY),
            max_density=query.optional_number("max", -MAX_DENSITY, MAX_DENSITY),
            search=query.text("search").strip(),
            only_ambiguous=query.integer("ambiguous", 0, 0, 1) == 1,
            unknown=unknown,
            sort=sort,
            descending=query.choice("order", ("ascending", "descending")) == "descending",
        )

    def _read_classes(self, query: Query) -> frozenset[int] | None:
        """Class indices, separated by commas; None for all images."""
        text = query.text("classes")
        if not text:
            return None
        classes = frozenset(map(int, text.split(","))) if CLASS_LIST.fullmatch(text) else frozenset({-1})
        if not 0 <= min(classes) <= max(classes) < self._table.num_classes:
            count = self._table.num_classes
            raise ConfigError(f"classes is {text!r:.40}; it must be indices of the {count} classes, for example 0,2")
        return classes

    def _boxes_or_none(self, index: int) -> ImageBoxes | None:
        """Boxes of an image; None if it is not in the source."""
        try:
            return self._annotations.boxes(index)
        except (ConfigError, DatasetError):  # the page shows the message with the record
            return None

    def _record_page(self, selection: Selection, page: int) -> dict[str, Any]:
        """A page of records, JSON-ready; the last one if there are fewer pages."""
        indices = self._table.select(selection)
        pages = max(1, math.ceil(len(indices) / PAGE_SIZE))
        page = min(page, pages)
        shown = indices[(page - 1) * PAGE_SIZE : page * PAGE_SIZE].tolist()
        return {"total": len(indices), "page": page, "pages": pages, "items": [self._record(index) for index in shown]}

    def _record(self, index: int) -> dict[str, Any]:
        """The record of an image, JSON-ready."""
        record, table = self._reader.metadata.images[index], self._table
        return {
            "index": index,
            "name": record.name,
            "source": record.source,
            "density": _finite(table.densities[index]),
            "class": record.label if isinstance(record.label, int) else None,
            "label": list(record.label) if isinstance(record.label, tuple) else None,
            "persons": record.person_count,
            "is_ambiguous": bool(table.is_ambiguous[index]),
            "distance": _finite(table.distances[index]),
        }

    def _describe(self) -> dict[str, Any]:
        """The dataset and its controls, JSON-ready."""
        metadata, table = self._reader.metadata, self._table
        histogram = table.histogram()
        return {
            "session": self._session,
            "size": self._first_size(),
            "total": len(self._reader),
            "unit": metadata.unit,
            "region": metadata.region,
            "classes": metadata.classes,
            "boundaries": [boundary.value for boundary in table.boundaries],
            "histogram": None if histogram is None else [values.tolist() for values in histogram],
            "sort_keys": table.sort_keys,
            "has_unknown": histogram is not None and math.isnan(table.densities.sum()),
            "boxes_problem": self._annotations.boxes_problem,
            "estimate_problem": self._annotations.estimate_problem,
        }

    def _first_size(self) -> list[int] | None:
        """`[height, width]` of the first image; None if there is none, or it is damaged."""
        try:
            return list(self._reader.image_size(0)) if len(self._reader) else None
        except CrowdganError:
            return None


def _finite(value: float) -> float | None:
    """The number as JSON; None for NaN."""
    return float(value) if math.isfinite(value) else None
