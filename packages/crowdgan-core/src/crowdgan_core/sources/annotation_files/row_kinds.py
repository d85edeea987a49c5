"""Kinds of annotation rows: people, ignored people and ignore regions, by flag and class name."""

from __future__ import annotations

from enum import IntEnum


class RowKind(IntEnum):
    """Meaning of one annotation row."""

    PERSON = 0
    """A person who counts."""

    IGNORED_PERSON = 1
    """A person in an ignore region: tagged as a person, but not counted."""

    IGNORE_REGION = 2
    """An ignore region that is not one person: an unresolved crowd, a poster, a reflection."""


PERSON_CLASSES = frozenset(
    {"person", "persons", "people", "pedestrian", "pedestrians", "human", "adult", "child", "man", "woman"}
)
"""Class names of people, in lower case."""

HEAD_CLASSES = frozenset({"head", "heads"})
"""Class names of heads, in lower case: people where only heads are annotated, and their parts next to full boxes."""

IGNORE_CLASSES = frozenset({"ignore", "ignored", "ignore_region", "mask", "crowd", "group", "distractor", "reflection"})
"""Class names of ignore regions, in lower case."""


def kind_of_class(name: str, *, are_heads: bool = False) -> RowKind | None:
    """The kind of rows with this class name; None for other objects, whose rows are dropped.

    Args:
        name: name of the class, in any case.
        are_heads: whether the annotations are heads only, and those of class `head` are therefore people.
    """
    key = name.strip().lower().replace(" ", "_").replace("-", "_")
    if key in PERSON_CLASSES or (are_heads and key in HEAD_CLASSES):
        return RowKind.PERSON
    return RowKind.IGNORE_REGION if key in IGNORE_CLASSES else None


def ignore_row(kind: RowKind) -> RowKind:
    """The kind of a row that is also flagged as ignored."""
    return RowKind.IGNORED_PERSON if kind is RowKind.PERSON else kind
