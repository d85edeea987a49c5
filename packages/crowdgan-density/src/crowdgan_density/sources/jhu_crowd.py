"""JHU-CROWD++: heads with approximate boxes in text files.

Each line has six numbers: x, y of the head, its approximate width and height in pixels, and its levels of occlusion
(1 to 3) and blur (0 or 1), which are not used. x, y is the centre of the head box.

Source: Sindagi et al., "JHU-CROWD++: Large-Scale Crowd Counting Dataset and A Benchmark Method", TPAMI 2020.
"""

from __future__ import annotations

import math
import re

import numpy as np

from crowdgan_core.errors import DatasetError
from crowdgan_core.io.storage import Store
from crowdgan_core.io.text_files import TextFile
from crowdgan_core.utils.arrays import Boxes
from crowdgan_density.sources.head_points import HeadPointSource

COLUMNS = "x, y, width, height, occlusion, blur"

NUM_COLUMNS = 6


class JhuCrowd(HeadPointSource):
    """JHU-CROWD++: `images/n.jpg` with `gt/n.txt`, in `train`, `val` and `test`."""

    name = "jhu-crowd"
    description = "JHU-CROWD++: the root, train, val or test, with images/n.jpg and gt/n.txt"
    layout = "images/n.jpg with gt/n.txt, in the folder or in a part such as train"
    kind_folders = frozenset({"images", "gt"})
    annotation_folders = frozenset({"gt"})
    image_pattern = re.compile(r"(\d+)\.\w+")
    annotation_pattern = re.compile(r"(\d+)\.txt", re.IGNORECASE)

    def read_heads(self, store: Store, name: str) -> Boxes:
        """Head boxes of one file; a file without lines has no heads."""
        file = TextFile(store, name)
        rows = [_head(line, f"{file.where}:{number}") for number, line in file.text_lines()]
        centres, sizes = np.array(rows, float).reshape(-1, 2, 2).transpose(1, 0, 2)
        return np.hstack([centres - sizes / 2, sizes])


def _head(line: str, where: str) -> list[float]:
    """x, y, width and height of one line."""
    cells = line.replace(",", " ").split()
    if len(cells) != NUM_COLUMNS:
        raise DatasetError(f"{where}: {len(cells)} columns; there must be {NUM_COLUMNS}: {COLUMNS}")
    try:
        numbers = list(map(float, cells))
    except ValueError:
        raise DatasetError(f"{where}: {line.strip()[:60]!r} is not valid; it must be six numbers {COLUMNS}") from None
    if not all(map(math.isfinite, numbers)) or min(numbers[2:4]) < 0:
        raise DatasetError(f"{where}: {line.strip()[:60]!r} is not valid; x, y must be finite, width, height 0 or more")
    return numbers[:4]
