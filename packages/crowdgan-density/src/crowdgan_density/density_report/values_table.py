"""Tables of a page with numbered remarks below them."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

HINT = "Scroll the table sideways for more columns."
"""Text above a table, shown on small screens."""


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column of a table."""

    title: str
    kind: Literal["number", "range", "text"] = "number"
    """Kind of the cells: texts are left-aligned and wrapped, ranges of numbers are wrapped on small screens."""


class Remarks:
    """Remarks on the rows of a table, each written once and referred to by its number."""

    def __init__(self, rows: Iterable[Sequence[str]]) -> None:
        self._texts = list(dict.fromkeys(text for texts in rows for text in texts))
        self._numbers = {text: number for number, text in enumerate(self._texts, 1)}

    def cell(self, texts: Sequence[str]) -> str:
        """The numbers of a row's remarks, for example `1, 3`; empty without remarks."""
        return ", ".join(str(self._numbers[text]) for text in texts)

    def html(self) -> str:
        """A numbered list of all remarks; empty without remarks."""
        items = "".join(f"<li>{html.escape(text)}</li>" for text in self._texts)
        return f'<h3>Remarks</h3>\n<ol class="remarks">{items}</ol>' if items else ""


def values_table_html(columns: Sequence[Column], rows: Iterable[Sequence[str]]) -> str:
    """A table that scrolls sideways on small screens."""
    classes = ["" if column.kind == "number" else f' class="{column.kind}"' for column in columns]
    head = "".join(f"<th{kind}>{html.escape(column.title)}</th>" for column, kind in zip(columns, classes, strict=True))
    lines = (
        "<tr>"
        + "".join(f"<td{kind}>{html.escape(cell)}</td>" for cell, kind in zip(row, classes, strict=True))
        + "</tr>"
        for row in rows
    )
    body = "\n".join(lines)
    return f'<div class="scroll"><table class="values">\n<tr>{head}</tr>\n{body}\n</table></div>'
