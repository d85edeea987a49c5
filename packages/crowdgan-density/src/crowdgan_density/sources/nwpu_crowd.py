"""NWPU-Crowd: head points and head boxes in JSON or MATLAB files.

The annotations of the test images are not published; `test.txt` lists them. Boxes are x1, y1, x2, y2.

Source: Wang et al., "NWPU-Crowd: A Large-Scale Benchmark for Crowd Counting and Localization", TPAMI 2020.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from crowdgan_core.errors import DatasetError
from crowdgan_core.io.names import canonical_name
from crowdgan_core.io.storage import Store
from crowdgan_core.io.text_files import TextFile
from crowdgan_core.utils.arrays import Boxes
from crowdgan_density.sources.head_points import HeadPointSource, head_boxes_of_points, number_array
from crowdgan_density.sources.matlab import MAX_FILE_BYTES, read_variables

TEST_LIST = "test.txt"
"""File with the numbers of the test images, each at the start of a line."""


class NwpuCrowd(HeadPointSource):
    """NWPU-Crowd: `images/n.jpg` with `jsons/n.json` or `mats/n.mat`."""

    name = "nwpu-crowd"
    description = "NWPU-Crowd: a folder with images/n.jpg and jsons/n.json or mats/n.mat"
    layout = "images/n.jpg with jsons/n.json or mats/n.mat"
    kind_folders = frozenset({"images", "jsons", "mats", *(f"images_part{part}" for part in range(1, 6))})
    annotation_folders = frozenset({"jsons", "mats"})
    image_pattern = re.compile(r"(\d+)\.\w+")
    annotation_pattern = re.compile(r"(\d+)\.(?:json|mat)", re.IGNORECASE)

    def read_heads(self, store: Store, name: str) -> Boxes:
        """Head boxes; a head without a valid box has one of size 0 at its point."""
        where = store.where(name)
        if name.lower().endswith(".json"):
            content = TextFile(store, name).json(MAX_FILE_BYTES)
            if not isinstance(content, dict) or not isinstance(content.get("points"), list):
                raise DatasetError(f"{where}: points is missing or invalid; it must be a list of x, y")
            points, boxes, count = content["points"], content.get("boxes"), content.get("human_num")
        else:
            with store.open(name) as file:
                variables = read_variables(file, where, ["annPoints", "annBoxes"])
            if "annPoints" not in variables:
                raise DatasetError(f"{where}: the variable annPoints is missing")
            points, boxes, count = variables["annPoints"], variables.get("annBoxes"), None
        return _head_boxes(points, boxes, count, where)

    def test_numbers(self, store: Store) -> frozenset[str]:
        """Numbers in `test.txt`."""
        lists = [name for name in store.names() if canonical_name(name).rpartition("/")[2] == TEST_LIST]
        return frozenset(
            text.split()[0].partition(".")[0] for name in lists for _, text in TextFile(store, name).text_lines()
        )


def _head_boxes(points: Any, boxes: Any, count: Any, where: str) -> Boxes:
    """Head boxes, from points, boxes of the same heads if there are any, and the number of heads if it is known."""
    heads = head_boxes_of_points(number_array(points, 2, where, "points"))
    if isinstance(count, int) and count != len(heads):
        raise DatasetError(f"{where}: human_num is {count}, with {len(heads)} points; both must be equal")
    corners = number_array([] if boxes is None else boxes, 4, where, "boxes")
    if not len(corners):
        return heads
    if len(corners) != len(heads):
        raise DatasetError(f"{where}: {len(corners)} boxes and {len(heads)} points; there must be one box per point")
    sizes = corners[:, 2:] - corners[:, :2]
    has_area = np.all(sizes > 0, axis=1, keepdims=True)
    return np.where(has_area, np.hstack([corners[:, :2], sizes]), heads)
