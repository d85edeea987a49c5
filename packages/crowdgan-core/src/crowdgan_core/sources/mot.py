"""MOTChallenge: sequences of frames `SEQUENCE/img1/000001.jpg` with boxes in `gt/gt.txt` or `det/det.txt`.

Positions count from 1: the upper left pixel is 1, 1. They become distances from the corner of the image, by
subtraction of 1.

Sources: Milan et al., MOT16: A Benchmark for Multi-Object Tracking, 2016; Dendorfer et al., MOT20, 2020.
"""

from __future__ import annotations

import configparser
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from crowdgan_core.errors import DatasetError
from crowdgan_core.io.names import canonical_name
from crowdgan_core.io.storage import Store, is_image_name, open_store
from crowdgan_core.io.stored_images import StoredImage
from crowdgan_core.io.text_files import TextFile
from crowdgan_core.sources.annotation_files.collected import CollectedAnnotations, CollectedReader
from crowdgan_core.sources.annotation_files.image_matching import list_problems
from crowdgan_core.sources.annotation_files.row_kinds import RowKind, ignore_row, kind_of_class
from crowdgan_core.sources.annotation_files.table_rows import shown_value, text_number
from crowdgan_core.sources.base import reject_annotations

GROUND_TRUTH, DETECTIONS = "gt/gt.txt", "det/det.txt"
"""Annotation file of a sequence; detections are used without ground truth."""

CLASS_NAMES = "gt/labels.txt"
"""Class names, one per line, which CVAT writes for classes other than those of the benchmark."""

SEQUENCE_INFO = "seqinfo.ini"

DEFAULT_IMAGE_FOLDER = "img1"

ORIGIN_PX = 1.0
"""Coordinate of the image's left and upper edge."""

CLASS_KINDS = {
    "1": ("pedestrian", RowKind.PERSON),
    "2": ("person on vehicle", RowKind.PERSON),
    "3": ("car", None),
    "4": ("bicycle", None),
    "5": ("motorbike", None),
    "6": ("non-motorised vehicle", None),
    "7": ("static person", RowKind.PERSON),
    "8": ("distractor", RowKind.IGNORE_REGION),
    "9": ("occluder", None),
    "10": ("occluder on the ground", None),
    "11": ("occluder full", None),
    "12": ("reflection", RowKind.IGNORE_REGION),
    "13": ("crowd", RowKind.IGNORE_REGION),
}
"""Name and kind of each class; None: dropped. Source: MOT16, table 1, and MOT20, table 2."""

MIN_COLUMNS, CLASS_COLUMNS = 6, (8, 9)
"""Minimum number of columns, and numbers of columns with a class: with 10, the last three are a world position."""


@dataclass(frozen=True, kw_only=True)
class MotSequence:
    """A sequence in a folder or ZIP archive."""

    store: Store
    prefix: str
    """Start of the names of its files, with a slash at the end; empty for the whole store."""

    annotations: str
    """`GROUND_TRUTH` or `DETECTIONS`."""

    frames: Mapping[int, str]
    """Names of the images by frame number."""

    unnumbered_images: Sequence[str] = ()
    """Names of the images whose file name is not a number, or has the number of another one."""

    classes: Mapping[str, tuple[str, RowKind | None]] = field(default_factory=lambda: CLASS_KINDS)
    """Name and kind of each class number."""

    def file(self, name: str) -> TextFile:
        """A text file of the sequence."""
        return TextFile(self.store, f"{self.prefix}{name}")


class MotSource:
    """Reads one or more sequences."""

    name = "mot"
    is_fallback = False
    description = "MOTChallenge: a sequence with img1 and gt/gt.txt or det/det.txt, or a folder of sequences"

    def matches(self, paths: Sequence[Path], annotations: Path | None) -> bool:
        """Whether each path contains the annotation file and the images of a sequence."""
        try:
            return annotations is None and all(_has_sequence(open_store(path)) for path in paths)
        except (DatasetError, OSError):
            return False

    def open(self, paths: Sequence[Path], annotations: Path | None) -> CollectedReader:
        """Reads the sequences; damaged lines, invalid boxes and frames without an image become problems.

        Names are relative to the path, or start with it if there are several. A frame without lines has no people.

        Raises:
            ConfigError: an annotation file is given.
            DatasetError: a path contains no sequence, or a file cannot be read.
        """
        reject_annotations(self.name, annotations)
        files: list[CollectedAnnotations] = []
        images: dict[str, StoredImage] = {}
        without_image: list[str] = []
        detections: list[str] = []
        unnumbered: list[str] = []
        for path in paths:
            store = open_store(path)
            sequences = find_sequences(store)
            if not sequences:
                raise DatasetError(f"{path}: contains no img1/000001.jpg with gt/gt.txt or det/det.txt next to img1")
            for sequence in sequences:
                source_name = str if len(paths) == 1 else store.where
                names = {frame: source_name(name) for frame, name in sequence.frames.items()}
                images |= {canonical_name(names[frame]): store.image(name) for frame, name in sequence.frames.items()}
                files.append(read_sequence(sequence, names, without_image))
                unnumbered += map(store.where, sequence.unnumbered_images)
                if sequence.annotations == DETECTIONS:
                    detections.append(sequence.file(DETECTIONS).where)
        errors = list_problems(
            {
                "annotations without an image": without_image,
                "images with an invalid or repeated frame number": unnumbered,
            }
        )
        counted = list_problems({"sequences with detections, not ground truth": detections}, is_error=False)
        return CollectedReader(files, images, errors, counted)


def find_sequences(store: Store) -> list[MotSequence]:
    """The sequences in a store, with ground truth or detections, and with frames.

    Raises:
        DatasetError: the store, a `seqinfo.ini` or the names of the classes cannot be read.
    """
    names = {canonical_name(name): name for name in store.names()}
    prefixes = dict.fromkeys(prefix for name in names for prefix in _prefixes(name))
    sequences = []
    for prefix in prefixes:
        folder = DEFAULT_IMAGE_FOLDER
        if f"{prefix}{SEQUENCE_INFO}" in names:
            folder = _image_folder(TextFile(store, f"{prefix}{SEQUENCE_INFO}"))
        images = [name for key, name in names.items() if key.startswith(f"{prefix}{folder}/") and is_image_name(key)]
        frames = {int(stem): name for name in images if (stem := PurePosixPath(name).stem).isdecimal()}
        used = set(frames.values())
        if frames:
            sequence = MotSequence(
                store=store,
                prefix=prefix,
                annotations=GROUND_TRUTH if f"{prefix}{GROUND_TRUTH}" in names else DETECTIONS,
                frames=dict(sorted(frames.items())),
                unnumbered_images=[name for name in images if name not in used],
                classes=_classes(store, prefix) if f"{prefix}{CLASS_NAMES}" in names else CLASS_KINDS,
            )
            sequences.append(sequence)
    return sequences


def read_sequence(sequence: MotSequence, names: Mapping[int, str], without_image: list[str]) -> CollectedAnnotations:
    """The boxes of a sequence.

    Args:
        sequence: the sequence.
        names: names of the images by frame number.
        without_image: receives the location of each frame without an image.

    Raises:
        DatasetError: the file cannot be read, or is not UTF-8.
    """
    file = sequence.file(sequence.annotations)
    collected = CollectedAnnotations(lambda number: f"{file.where}:{number}" if number else file.where)
    for image in names.values():
        collected.add_image(image, 0)
    missing: dict[int, str] = {}
    for number, line in file.text_lines():
        cells = [cell.strip() for cell in line.split(",")]
        name: str | None = None
        try:
            frame = _frame(cells)
            name = names.get(frame)
            if name is None:
                missing.setdefault(frame, f"{file.where}:{number}: frame {frame}")
                continue
            left, top, width, height = (_number(cells, position) for position in range(2, MIN_COLUMNS))
            kind = _kind(cells, sequence, collected)
        except ValueError as error:
            collected.add_damage(number, str(error), name)
            continue
        if kind is not None:
            collected.add_row(name, number, kind, full=(left - ORIGIN_PX, top - ORIGIN_PX, width, height))
    without_image += missing.values()
    collected.finish()
    return collected


def _frame(cells: Sequence[str]) -> int:
    if len(cells) < MIN_COLUMNS:
        raise ValueError(
            f"{len(cells)} columns; at least {MIN_COLUMNS} are needed: frame, id, left, top, width, height"
        )
    number = _number(cells, 0)
    if not number.is_integer() or number < 1:
        raise ValueError(f"the frame is {shown_value(cells[0])}; it must be a whole number from 1")
    return int(number)


def _number(cells: Sequence[str], position: int) -> float:
    try:
        number = text_number(cells[position])
    except ValueError:
        number = None
    if number is None:
        raise ValueError(f"column {position + 1} is {shown_value(cells[position])}; it must be a number")
    return number


def _kind(cells: Sequence[str], sequence: MotSequence, collected: CollectedAnnotations) -> RowKind | None:
    """The kind of a row of ground truth, by flag and class; all detections are people. None: counted and dropped."""
    if sequence.annotations == DETECTIONS:
        return RowKind.PERSON
    kind: RowKind | None = RowKind.PERSON
    if len(cells) in CLASS_COLUMNS:
        if cells[7] not in sequence.classes:
            allowed = f"1 to {len(sequence.classes)}"
            raise ValueError(f"the class is {shown_value(cells[7])}; it must be {allowed}")
        class_name, kind = sequence.classes[cells[7]]
        if kind is None:
            collected.dropped_rows[class_name] += 1
    is_ignored = len(cells) > MIN_COLUMNS and _number(cells, MIN_COLUMNS) == 0
    return ignore_row(kind) if kind is not None and is_ignored else kind


def _has_sequence(store: Store) -> bool:
    """Whether there is an annotation file with a folder of images next to its own, judged by names."""
    names = [canonical_name(name) for name in store.names()]
    prefixes = {prefix for name in names for prefix in _prefixes(name)}
    image_folders = {name.rpartition("/")[0] for name in names if is_image_name(name)} if prefixes else set()
    return any(
        f"{folder}/".removesuffix(f"{folder.rpartition('/')[2]}/") in prefixes for folder in image_folders - {""}
    )


def _prefixes(name: str) -> list[str]:
    """The start of an annotation file's name before `gt/gt.txt` or `det/det.txt`, as a list; empty for other files."""
    return [
        name.removesuffix(ending)
        for ending in (GROUND_TRUTH, DETECTIONS)
        if name == ending or name.endswith(f"/{ending}")
    ]


def _image_folder(file: TextFile) -> str:
    """The folder of the images, in the section `Sequence`."""
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_string("".join(text for _, text in file.text_lines()))
        return parser.get("Sequence", "imDir", fallback=DEFAULT_IMAGE_FOLDER).strip("/")
    except configparser.Error as error:
        message = " ".join(str(error).split())
        raise DatasetError(f"{file.where}: not a valid {SEQUENCE_INFO} ({message})") from error


def _classes(store: Store, prefix: str) -> dict[str, tuple[str, RowKind | None]]:
    """Classes by number, from 1, of a file with one name per line."""
    names = [text.strip() for _, text in TextFile(store, f"{prefix}{CLASS_NAMES}").text_lines()]
    return {str(number): (name, kind_of_class(name)) for number, name in enumerate(names, 1)}
