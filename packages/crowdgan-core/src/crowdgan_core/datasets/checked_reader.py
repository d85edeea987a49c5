"""Dataset readers of plugins; what they return is checked here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from crowdgan_core.datasets.metadata import DatasetMetadata
from crowdgan_core.datasets.protocols import DatasetFormat, DatasetReader
from crowdgan_core.io.stored_images import StoredImage
from crowdgan_core.utils.arrays import ImageArray
from crowdgan_core.utils.plugin_calls import plugin_call, require_result

KIND = "dataset format"


def open_checked(dataset_format: DatasetFormat, path: Path) -> DatasetReader:
    """Opens a dataset for reading.

    Raises:
        DatasetError: the dataset is missing or damaged, or has another format.
        PluginError: another exception in the format's code, or a result that is not a reader with metadata.
    """
    with plugin_call(KIND, dataset_format, str(path)):
        reader: Any = dataset_format.open(path)  # a plugin's types are not checked statically
        metadata: object = reader.metadata
    problem = f"metadata is {type(metadata).__name__}; it must be DatasetMetadata"
    require_result(isinstance(metadata, DatasetMetadata), KIND, dataset_format, str(path), problem)
    return CheckedReader(dataset_format, reader)


class CheckedReader(DatasetReader):
    """A reader whose images are checked: 8-bit RGB arrays, and errors that name the format and the image.

    Args:
        dataset_format: format of the dataset.
        reader: reader of the format.
    """

    def __init__(self, dataset_format: DatasetFormat, reader: DatasetReader) -> None:
        self.path = reader.path
        self.metadata = reader.metadata
        self._format = dataset_format
        self._reader = reader

    def image(self, index: int) -> ImageArray:
        """Pixels of one image, `[height, width, 3]` uint8.

        Raises:
            DatasetError: the image is damaged.
            PluginError: another exception in the format's code, or another type or shape.
        """
        where = self._where(index)
        with plugin_call(KIND, self._format, where):
            pixels: Any = self._reader.image(index)
        is_array = isinstance(pixels, np.ndarray)
        found = f"{pixels.dtype} {list(pixels.shape)}" if is_array else type(pixels).__name__
        is_rgb = is_array and pixels.dtype == np.uint8 and pixels.ndim == 3 and pixels.shape[2] == 3 and pixels.size > 0
        problem = f"image returned {found}; it must return uint8 [height, width, 3]"
        require_result(is_rgb, KIND, self._format, where, problem)
        image: ImageArray = pixels
        return image

    def stored_image(self, index: int) -> StoredImage:
        """Handle of one image that other processes can open; raises as `image`."""
        with plugin_call(KIND, self._format, self._where(index)):
            return self._reader.stored_image(index)

    def image_size(self, index: int) -> tuple[int, int]:
        """`(height, width)` of one image in pixels; raises as `image`."""
        where = self._where(index)
        with plugin_call(KIND, self._format, where):
            height, width = self._reader.image_size(index)
        problem = f"image_size returned {(height, width)!r:.80}; height and width must be at least 1 px"
        require_result(min(height, width) >= 1, KIND, self._format, where, problem)
        return height, width

    def close(self) -> None:
        """Closes the files of the dataset."""
        self._reader.close()

    def _where(self, index: int) -> str:
        return f"{self.path}:{self.metadata.images[index].name}"
