import csv

import numpy as np

from crowdgan_core.datasets.metadata import DatasetMetadata
from crowdgan_core.errors import DatasetError
from crowdgan_core.hookspecs import hookimpl
from crowdgan_core.io.stored_images import ImageFile
from crowdgan_core.scenes.scene import PersonAnnotations
from crowdgan_core.sources.base import AnnotatedImage, single_path

FILE_NAME = "boxes.csv"  # rows of image name, x, y, width and height in pixels, without a header


class BoxReader:
    has_annotations, problems, metadata = True, (), DatasetMetadata()

    def __init__(self, folder):
        self._folder, self._boxes, number = folder, {}, 0
        try:
            lines = (folder / FILE_NAME).read_text(encoding="utf-8").splitlines()
            for number, (name, *box) in enumerate(csv.reader(lines), 1):
                x, y, width, height = map(float, box)
                self._boxes.setdefault(name, []).append((x, y, width, height))
        except (OSError, ValueError) as error:
            raise DatasetError(f"{folder / FILE_NAME}:{number}: cannot be read ({error})") from error

    def __len__(self):
        return len(self._boxes)

    def __iter__(self):
        for name, boxes in self._boxes.items():
            people = PersonAnnotations(full_boxes=np.array(boxes))
            yield AnnotatedImage(source_name=name, image=ImageFile(self._folder / name), people=people)


class BoxSource:
    name, description, is_fallback = "example-plugin", f"a folder of images with {FILE_NAME}", False

    def matches(self, paths, annotations):
        return annotations is None and len(paths) == 1 and (paths[0] / FILE_NAME).is_file()

    def open(self, paths, annotations):
        return BoxReader(single_path(self.name, paths, annotations))


@hookimpl
def crowdgan_register_scene_sources():
    return [BoxSource()]
