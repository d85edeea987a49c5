import io
import json
import tarfile
from contextlib import contextmanager

from crowdgan_core.datasets.metadata import DatasetMetadata
from crowdgan_core.datasets.protocols import DatasetReader
from crowdgan_core.errors import DatasetError
from crowdgan_core.hookspecs import hookimpl
from crowdgan_core.io.atomic import atomic_path, wrap_os_errors
from crowdgan_core.io.images import encode_png_uncompressed
from crowdgan_core.io.stored_images import FileRange


class TarWriter:
    def __init__(self, archive, dest):
        self._archive, self._dest, self._count = archive, dest, 0

    def add(self, encoded, size, record):
        name, self._count = f"{self._count:08d}", self._count + 1
        self._write(f"{name}.png", encoded)
        self._write(f"{name}.cls", json.dumps(record.label).encode())  # as in WebDataset
        return f"{name}.png"

    def finish(self, metadata):
        self._write("metadata.json", json.dumps(metadata.to_json()).encode())

    def _write(self, name, data):
        info = tarfile.TarInfo(name)
        info.size = len(data)
        with wrap_os_errors(self._dest):
            self._archive.addfile(info, io.BytesIO(data))


class TarReader(DatasetReader):
    def __init__(self, path):
        self.path = path
        try:
            with tarfile.open(path) as archive:
                members = {member.name: member for member in archive}
                metadata = json.load(archive.extractfile("metadata.json"))
            self.metadata = DatasetMetadata.from_json(metadata, str(path))
            self._members = [members[record.name] for record in self.metadata.images]
        except (OSError, KeyError, ValueError, tarfile.TarError) as error:
            raise DatasetError(f"{path}: not a dataset, or damaged ({error})") from error

    def stored_image(self, index):
        member = self._members[index]
        return FileRange(self.path, member.offset_data, member.size, member.name)


class TarFormat:
    name, suffixes = "example-plugin", "NAME.tar"

    def matches(self, path):
        return path.suffix.lower() == ".tar"

    def encode(self, pixels):
        return encode_png_uncompressed(pixels)

    @contextmanager
    def create(self, dest, *, overwrite):
        with atomic_path(dest, overwrite=overwrite) as partial, tarfile.open(partial, "w") as archive:
            yield TarWriter(archive, dest)

    def open(self, path):
        return TarReader(path)


@hookimpl
def crowdgan_register_dataset_formats():
    return [TarFormat()]
