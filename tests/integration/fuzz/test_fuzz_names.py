"""Unusual names in archives and annotations, nested folders, and layouts of datasets."""

from __future__ import annotations

import json
import random
import unicodedata
import zlib
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from struct import pack

import pytest

from crowdgan_core.datasets.zip_folder import FolderFormat, ZipFormat, find_dataset
from crowdgan_core.errors import DatasetError
from crowdgan_core.io.names import canonical_name, is_ignored
from crowdgan_core.io.storage import open_store
from crowdgan_core.plugins.discovery import installed_plugins
from crowdgan_core.sources.crowdhuman import CrowdHumanSource
from crowdgan_core.sources.detection import find_source
from crowdgan_core.sources.folder import ZipSource
from tests.integration.fuzz.tools import Pipeline, checked_case, source_opener
from tests.support.sources import UTF8_FLAG, add_shanghaitech, odgt, person, raw_zip_bytes, write_files, write_zip

WORDS = (
    "a",
    "p0",
    "Images",
    "café",
    "한글",
    "ﬁ",
    "Å",
    "1,a",
    "a b",
    "a.b",
    "über-é",
    "日本語",
    "x" * 60,
    "[red]",
    "'",
    "%s",
)
"""Components of valid names."""

UNUSUAL_PARTS = (
    *(
        "..",
        ".",
        "",
        "/",
        "\\",
        "C:",
        "\\\\server",
        "~",
        "\0",
        "\n",
        "\ud800",
        "\u202e",
        "._a",
        ".DS_Store",
        "__MACOSX",
    ),
    *("CON", "a.", " ", "e\u0301", "\u1112\u1161", "x" * 300, "../" * 50, "dataset.json", "Thumbs.db"),
)
"""Components of names that are not valid, point outside the archive, are ignored, or have another Unicode form."""

PART_WEIGHTS = [3] * len(WORDS) + [1] * len(UNUSUAL_PARTS)
"""Weights of the components: valid ones are three times as frequent."""

ENCODINGS = ("utf-8", "cp437", "latin1", "shift_jis", "utf-16")
"""Encodings of names in archives, whatever the flags say."""

SYSTEM_FILES = ("._x.png", ".DS_Store", "__MACOSX/x.png", "__MACOSX/._dataset.json", "Thumbs.db", "desktop.ini")
"""Files that operating systems add."""


def random_folders(rng: random.Random, max_depth: int) -> str:
    """A prefix of zero to `max_depth` folders, with a slash at the end unless it is empty."""
    return "".join(f"{rng.choice(WORDS)}/" for _ in range(rng.randint(0, max_depth)))


def respelled(name: str, rng: random.Random) -> str:
    """The same name in other bytes."""
    name = unicodedata.normalize(rng.choice(("NFC", "NFD")), name)
    if rng.random() < 0.3:
        name = f"./{name}"
    if rng.random() < 0.3:
        name = name.replace("/", rng.choice(("//", "/./")))
    return name.replace("/", "\\") if rng.random() < 0.5 else name


def write_store(path: Path, files: dict[str, bytes], *, is_archive: bool) -> Path:
    """Writes files into a ZIP archive or a folder and returns its path."""
    return write_zip(path.with_suffix(".zip"), files) if is_archive else write_files(path, files)


def encoded(name: str, encoding: str) -> bytes:
    return name.encode(encoding, "surrogatepass" if encoding == "utf-8" else "replace")


def unicode_path_field(name: bytes, text: str, rng: random.Random) -> bytes:
    """An extra field with the name in UTF-8; in a third of the cases damaged, or that of another name."""
    data = pack("<BI", 1, zlib.crc32(name)) + text.encode("utf-8", "replace")
    field = pack("<HH", 0x7075, len(data)) + data
    return field if rng.random() < 0.7 else rng.choice((field[:-3], field[:6], b"", rng.randbytes(9)))


def test_archives_with_unusual_names_are_refused_or_list_safe_names(tmp_path: Path) -> None:
    rng = random.Random(41)
    outcomes = {"listed": 0, "refused": 0}
    for case in range(400):
        texts = ["/".join(rng.choices(WORDS + UNUSUAL_PARTS, PART_WEIGHTS, k=rng.randint(1, 4))) for _ in range(3)]
        encoding = rng.choice(ENCODINGS)
        entries = {encoded(f"{text}.png", encoding): text.encode("utf-8", "replace") for text in texts}
        extra = unicode_path_field(next(iter(entries)), texts[0], rng) if rng.random() < 0.3 else b""
        flags = rng.choices((0, UTF8_FLAG), k=2)
        path = tmp_path / f"{case}.zip"
        path.write_bytes(raw_zip_bytes(entries, *flags, extra))
        is_listed = False
        with checked_case(f"{case}: {list(entries)}"):
            store = open_store(path)
            names = store.names()
            for name in names:
                assert canonical_name(name) == name
                assert not is_ignored(name)
                assert not PurePosixPath(name).is_absolute()
                assert ".." not in PurePosixPath(name).parts
                with store.open(name) as file:
                    assert file.read() in entries.values()
            is_listed = True
        outcomes["listed" if is_listed else "refused"] += 1
    assert min(outcomes.values()) > 50, outcomes


def test_archives_with_unusual_names_of_images_are_refused_or_converted(
    tmp_path: Path, pipeline: Pipeline, encode_noise: Callable[..., bytes]
) -> None:
    rng = random.Random(42)
    image = encode_noise(1, (8, 8), "PNG")
    for case in range(150):
        parts = [rng.choices(WORDS + UNUSUAL_PARTS, PART_WEIGHTS, k=rng.randint(1, 3)) for _ in range(3)]
        entries = {encoded("/".join(item) + ".png", rng.choice(ENCODINGS[:3])): image for item in parts}
        path = tmp_path / f"images{case}.zip"
        path.write_bytes(raw_zip_bytes(entries, *rng.choices((0, UTF8_FLAG), k=2)))
        pipeline.run(source_opener(ZipSource(), path), f"{case}: {list(entries)}")
    assert min(pipeline.outcomes.values()) > 5, pipeline.outcomes


def test_annotations_match_their_image_however_its_name_is_written(
    tmp_path: Path, encode_noise: Callable[..., bytes]
) -> None:
    rng = random.Random(43)
    image = encode_noise(1, (8, 8), "PNG")
    for case in range(300):
        name = f"{random_folders(rng, 3)}{rng.choice(WORDS)}.png"
        parts = name.removesuffix(rng.choice(("", ".png"))).split("/")
        image_id = respelled("/".join(parts[rng.randrange(len(parts)) :]), rng)
        form = rng.choice(("NFC", "NFD"))
        files = {unicodedata.normalize(form, name): image, "t.odgt": odgt({image_id: [person(1, 1)]}).encode()}
        path = write_store(tmp_path / str(case), files, is_archive=case % 2 == 0)
        source = CrowdHumanSource().open([path], None)
        assert [item.source_name for item in source] == [image_id], f"case {case}: {name!r} {image_id!r}"
        assert source.problems == [], f"case {case}: {name!r} {image_id!r}"
        assert next(iter(source)).image.open().size == (8, 8)


def random_dataset(rng: random.Random, image: bytes) -> tuple[dict[str, bytes], list[int]]:
    """The files of a small dataset with names in any form, and its labels in the order of the files."""
    names = sorted({f"{random_folders(rng, 2)}{rng.choice(WORDS)}.png" for _ in range(rng.randint(1, 4))})
    labels = [rng.randrange(3) for _ in names]
    listed = [(respelled(name, rng), label) for name, label in zip(names, labels, strict=True)]
    index: dict[str, object] = {"labels": listed}
    if rng.random() < 0.5:
        pictures = [{"name": name, "label": label} for name, label in listed]
        metadata = {"format": 1, "classes": ["a", "b", "c"], "label_kind": "class", "pictures": pictures}
        index["crowdgan"] = metadata
    files = {unicodedata.normalize(rng.choice(("NFC", "NFD")), name): image for name in names}
    return {**files, "dataset.json": json.dumps(index).encode()}, labels


def test_datasets_below_any_number_of_single_folders_keep_their_labels(
    tmp_path: Path, encode_noise: Callable[..., bytes]
) -> None:
    rng = random.Random(44)
    image = encode_noise(1, (8, 8), "PNG")
    sources = installed_plugins().scene_sources
    for case in range(200):
        files, labels = random_dataset(rng, image)
        prefix = random_folders(rng, 4)
        rooted = {f"{prefix}{name}": data for name, data in files.items()}
        others = {f"{random_folders(rng, 1)}{rng.choice(SYSTEM_FILES)}": b"\0" for _ in range(2)}
        if prefix:
            others[rng.choice(("README.md", "LICENSE", "notes.txt"))] = b"text"
        is_archive = case % 2 == 0
        path = write_store(tmp_path / str(case), {**others, **rooted}, is_archive=is_archive)
        source = find_source([path], None, None, sources)
        assert source.name == "dataset", f"case {case}: {list(rooted)}"
        read = [item.record.label for item in source.open([path], None) if item.record is not None]
        assert sorted(map(int, read)) == sorted(labels), f"case {case}: {list(rooted)}"
        with (ZipFormat() if is_archive else FolderFormat()).open(path) as reader:
            assert all(reader.image(index).shape == (8, 8, 3) for index in range(len(reader)))


def test_several_datasets_or_other_images_next_to_a_dataset_are_never_merged_silently(
    tmp_path: Path, encode_noise: Callable[..., bytes]
) -> None:
    rng = random.Random(45)
    image = encode_noise(1, (8, 8), "PNG")
    sources = installed_plugins().scene_sources
    for case in range(150):
        first, second = random_dataset(rng, image)[0], random_dataset(rng, image)[0]
        if case % 3 == 0:
            second = {"x.png": image}
        files = {f"one/{name}": data for name, data in first.items()}
        folder = f"two/{random_folders(rng, 2)}"
        files |= {f"{folder}{name}": data for name, data in second.items()}
        path = write_store(tmp_path / str(case), files, is_archive=case % 2 == 0)
        assert find_dataset(open_store(path)) is None
        source = find_source([path], None, None, sources)
        assert source.is_fallback
        if case % 3:
            with pytest.raises(DatasetError, match="contains no images; found "):
                source.open([path], None)
        else:
            reader = source.open([path], None)
            assert (len(reader), [problem.reason for problem in reader.problems][:1]) == (
                1,
                ["images of datasets in subfolders"],
            )


def random_layout(rng: random.Random, split: str) -> tuple[str, str]:
    """Folder of the images and of the annotations of a part of ShanghaiTech."""
    part = f"{random_folders(rng, 2)}{rng.choice(('part_A', 'part_A_final', 'A', 'Part B'))}/"
    images, points = rng.choice((("images", "ground-truth"), ("img", "gt"), ("Images", "ground_truth"), ("", "GT")))
    if images and rng.random() < 0.3:
        return f"{part}{images}/{split}/", f"{part}{points}/{split}/"
    return f"{part}{split}/{images}/".replace("//", "/"), f"{part}{split}/{points}/"


def test_every_layout_of_head_points_is_read_completely(tmp_path: Path) -> None:
    rng = random.Random(46)
    add_shanghaitech(tmp_path / "original", 1)
    image = (tmp_path / "original" / "images" / "IMG_1.jpg").read_bytes()
    points = (tmp_path / "original" / "ground-truth" / "GT_IMG_1.mat").read_bytes()
    sources = installed_plugins().scene_sources
    for case in range(200):
        files: dict[str, bytes] = {}
        numbers = rng.sample(range(1, 500), rng.randint(1, 3))
        for split in rng.choice((("train", "test"), ("train_data", "test_data"), ("all",))):
            image_folder, point_folder = random_layout(rng, split)
            for number in numbers:
                files[f"{image_folder}IMG_{number}{rng.choice(('.jpg', '.JPG', '.jpeg', '.jfif'))}"] = image
                files[f"{point_folder}GT_IMG_{number}.mat"] = points
            files[f"{image_folder}._IMG_{numbers[0]}.jpg"] = files[f"{point_folder}.DS_Store"] = b"\0"
        path = write_store(tmp_path / str(case), files, is_archive=case % 2 == 0)
        source = find_source([path], None, None, sources)
        assert source.name == "shanghaitech", f"case {case}: {list(files)}"
        reader = source.open([path], None)
        images = sorted(name for name in files if not is_ignored(name) and not name.endswith(".mat"))
        assert sorted(item.source_name for item in reader) == images, f"case {case}: {list(files)}"
        assert (list(reader.problems), {item.people.person_count for item in reader}) == ([], {2})
