"""Columns of a table of people, detected by name: image, boxes or head point, ignore flag, class."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum

from crowdgan_core.errors import DatasetError
from crowdgan_core.utils.formatting import join_limited

MAX_LISTED_COLUMNS = 20
"""Maximum number of columns in an error message."""

MAX_LISTED_CHARACTERS = 400
"""Maximum length of the list of columns in an error message."""

IMAGE_COLUMNS = (
    *("image", "image_name", "image_file", "image_path", "image_id", "img", "img_name", "imagename"),
    *("file", "file_name", "filename", "file_path", "filepath", "path", "frame", "frame_name"),
)
"""Accepted names of the column with the image's file name or path, with or without suffix."""

IGNORE_COLUMNS = ("ignore", "ignored", "is_ignored", "iscrowd", "is_crowd")
"""Accepted names of the column with the ignore flag."""

CLASS_COLUMNS = ("class", "class_name", "label", "category", "category_name", "tag", "type")
"""Accepted names of the column with the class name."""

ROLE_PREFIXES = {
    "full": ("", "full_", "bbox_", "bb_", "box_"),
    "visible": ("visible_", "vis_"),
    "head": ("head_",),
}
"""Prefixes of the columns of a box, by the box: full, visible or head box."""


class Form(Enum):
    """Columns of a box or point: the accepted names of each number, after the prefix."""

    SIZE = (("x", "left"), ("y", "top"), ("w", "width"), ("h", "height"))
    """Left, top, width and height."""

    CORNERS = (
        ("x1", "xmin", "x_min", "left"),
        ("y1", "ymin", "y_min", "top"),
        ("x2", "xmax", "x_max", "right"),
        ("y2", "ymax", "y_max", "bottom"),
    )
    """Left, top, right and bottom."""

    POINT = (("x", "col", "column"), ("y", "row"))
    """Column and row of a head point."""


ACCEPTED = (
    "image (or file, filename, path, frame, ...), and x, y, w, h or x1, y1, x2, y2 of a box, or x, y of a head point"
)
"""Accepted columns, for messages; the documentation lists all names."""


@dataclass(frozen=True, kw_only=True)
class BoxColumns:
    """Positions of the columns of a box or point."""

    form: Form

    positions: Sequence[int]
    """Position of each number of the form among the columns."""

    def box(self, numbers: Sequence[float]) -> tuple[float, float, float, float]:
        """x, y, width and height for the numbers of a row; width and height of a point are 0."""
        if self.form is Form.POINT:
            return (numbers[0], numbers[1], 0.0, 0.0)
        x, y, third, fourth = numbers
        return (x, y, third, fourth) if self.form is Form.SIZE else (x, y, third - x, fourth - y)


@dataclass(frozen=True, kw_only=True)
class TableColumns:
    """Positions of the columns of a table; None for columns that it does not have."""

    names: Sequence[str]
    """All column names, as written."""

    image: int | None
    full: BoxColumns | None
    visible: BoxColumns | None
    head: BoxColumns | None
    ignore: int | None
    class_name: int | None


def find_columns(names: Sequence[str], where: str, *, needs_image: bool = True) -> TableColumns:
    """The columns of a table, by their names in any case, with spaces or hyphens in place of underscores.

    Args:
        names: names of the columns.
        where: location for messages.
        needs_image: whether the image column is required.

    Raises:
        DatasetError: a column is missing, ambiguous or repeated; the message lists the columns found and accepted.
    """
    header = ColumnHeader(names, where)
    image = header.find(IMAGE_COLUMNS, "image")
    if image is None and needs_image:
        raise header.error("no image column")
    full, visible, head = (_box_columns(header, role) for role in ROLE_PREFIXES)
    if full is not None and full.form is Form.POINT:
        if head is not None:
            points = " and ".join(header.list(columns.positions) for columns in (full, head))
            raise header.error(f"two columns of head points or boxes: {points}; keep one")
        full, head = None, full
    if full is None and head is None:
        raise header.error("no columns of a full box, head box or head point")
    return TableColumns(
        names=names,
        image=image,
        full=full,
        visible=visible,
        head=head,
        ignore=header.find(IGNORE_COLUMNS, "ignore"),
        class_name=header.find(CLASS_COLUMNS, "class"),
    )


class ColumnHeader:
    """The column names of a table, compared in lower case, with spaces and hyphens as underscores.

    Args:
        names: names of the columns.
        where: location for messages.
        accepted: accepted columns, for messages.

    Raises:
        DatasetError: a column is repeated.
    """

    def __init__(self, names: Sequence[str], where: str, accepted: str = ACCEPTED) -> None:
        self._names = [name.strip() for name in names]
        self._where = where
        self._accepted = accepted
        self._positions: dict[str, int] = {}
        for position, name in enumerate(self._names):
            key = name.lower().replace(" ", "_").replace("-", "_")
            if key and self._positions.setdefault(key, position) != position:
                raise self.error(f"column {name} is repeated")

    def __contains__(self, key: str) -> bool:
        """Whether there is a column with this name."""
        return key in self._positions

    def find(self, accepted: Iterable[str], meaning: str) -> int | None:
        """Position of the column with one of the accepted names; None if there is none.

        Raises:
            DatasetError: there are several.
        """
        found = [self._positions[name] for name in accepted if name in self._positions]
        if len(found) > 1:
            raise self.error(f"several columns of {meaning}: {self.list(found)}; keep one")
        return found[0] if found else None

    def list(self, positions: Iterable[int]) -> str:
        """The names of some columns."""
        return ", ".join(self._names[position] for position in positions)

    def error(self, problem: str) -> DatasetError:
        """The error with the columns found and accepted."""
        found = join_limited(self._names, MAX_LISTED_COLUMNS)[:MAX_LISTED_CHARACTERS]
        return DatasetError(f"{self._where}: {problem}; found columns {found}; accepted are {self._accepted}")


def _box_columns(header: ColumnHeader, role: str) -> BoxColumns | None:
    """Columns of one box, in the only form whose columns are complete; None if there are none.

    The columns `width` and `height` alone are those of the image in many tables, and are not used.
    """
    names_by_form = {
        form: [[prefix + name for prefix in ROLE_PREFIXES[role] for name in names] for names in form.value]
        for form in Form
        if form is not Form.POINT or role != "visible"
    }
    complete = [
        form
        for form, names in names_by_form.items()
        if all(any(name in header for name in options) for options in names)
    ]
    if Form.SIZE in complete and Form.CORNERS in complete:
        raise header.error(f"the {role} box has both a size and two corners; keep one")
    is_point = complete == [Form.POINT]
    if is_point or (not complete and role != "full"):
        numbers = names_by_form[Form.SIZE][2:] if is_point else itertools.chain.from_iterable(names_by_form.values())
        partial = dict.fromkeys(name for options in numbers for name in options if name in header)
        if partial:
            raise header.error(f"the columns of the {role} box are incomplete, with {', '.join(partial)}")
    if not complete:
        return None
    form = complete[0]  # a point is the last form: a box has columns x, y too
    positions = [header.find(options, options[0]) for options in names_by_form[form]]
    return BoxColumns(form=form, positions=[position for position in positions if position is not None])
