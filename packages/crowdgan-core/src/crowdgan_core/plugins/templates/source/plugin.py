import csv

import numpy as np

from crowdgan_core.datasets.metadata import DatasetMetadata
from crowdgan_core.errors import DatasetError
from crowdgan_core.hookspecs import hookimpl
from crowdgan_core.io.stored_images import ImageFile
from crowdgan_core.scenes.scene import PersonAnnotations
from crowdgan_core.sources.base import AnnotatedImage, SourceProblem, single_path

FILE_NAME = "boxes.csv"  # rows of image name, x, y, width and height in pixels, without a header


class BoxReader:
    has_annotations, metadata = True, DatasetMetadata()

    def __init__(self, folder):
        self._folder, self._boxes, path, damaged = folder, {}, folder / FILE_NAME, {}
        try:
            rows = list(csv.reader(path.read_text(encoding="utf-8").splitlines()))
        except (OSError, ValueError, csv.Error) as error:  # the source as a whole
            raise DatasetError(f"{path}: cannot be read ({error})") from error
        for number, row in enumerate(rows, 1):
            name, *box = row or [""]
            try:
                x, y, width, height = map(float, box)
                self._boxes.setdefault(name, []).append((x, y, width, height))
            except ValueError as error:
                damaged[f"{path}:{number}: {error}"] = name
        for name in damaged.values():
            self._boxes.pop(name, None)  # without the row, the density would be too low
        reason = "damaged rows, whose images are not used"
        self.problems = [SourceProblem(reason=reason, names=list(damaged))] if damaged else []

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
