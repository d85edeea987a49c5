"""Dataset writers of plugins: errors in their code name the format."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from crowdgan_core.datasets.checked_reader import KIND
from crowdgan_core.datasets.metadata import DatasetMetadata, ImageRecord
from crowdgan_core.datasets.protocols import DatasetWriter, SequentialFormat
from crowdgan_core.utils.plugin_calls import plugin_call, require_result


@contextmanager
def create_checked(dataset_format: SequentialFormat, dest: Path, *, overwrite: bool) -> Iterator[DatasetWriter]:
    """Creates a dataset by an atomic write: it appears at `dest` when the context ends without an error.

    Raises:
        DatasetError: `dest` exists and `overwrite` is False, or it cannot be written.
        PluginError: another exception in the format's code.
    """
    where = str(dest)
    with plugin_call(KIND, dataset_format, where):
        context = dataset_format.create(dest, overwrite=overwrite)
        writer = context.__enter__()
    try:
        yield CheckedWriter(dataset_format, writer, where)
    except BaseException as error:
        with plugin_call(KIND, dataset_format, where):
            try:
                context.__exit__(type(error), error, error.__traceback__)
            except BaseException as raised:
                if raised is not error:
                    raise
        raise
    with plugin_call(KIND, dataset_format, where):
        context.__exit__(None, None, None)


class CheckedWriter:
    """A writer that checks what a format's writer returns.

    Args:
        dataset_format: the format.
        writer: writer of the format.
        where: destination, for messages.
    """

    def __init__(self, dataset_format: SequentialFormat, writer: DatasetWriter, where: str) -> None:
        self._format, self._writer, self._where = dataset_format, writer, where

    def add(self, encoded: bytes, size: tuple[int, int], record: ImageRecord) -> str:
        """Appends one image and returns its name in the dataset.

        Raises:
            DatasetError: it cannot be written.
            PluginError: another exception in the format's code, or a result that is not a name.
        """
        where = f"image {record.source}"
        with plugin_call(KIND, self._format, where):
            name: Any = self._writer.add(encoded, size, record)  # a plugin's types are not checked statically
        problem = f"add returned {type(name).__name__}; it must return the name of the image"
        require_result(isinstance(name, str), KIND, self._format, where, problem)
        return str(name)

    def finish(self, metadata: DatasetMetadata) -> None:
        """Writes the metadata; raises as `add`."""
        with plugin_call(KIND, self._format, f"finish: {self._where}"):
            self._writer.finish(metadata)
