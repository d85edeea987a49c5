"""Texts from outside, file names above all, made safe to print."""

from __future__ import annotations


def printable(text: str) -> str:
    """The text on one line: line ends become spaces, what is no printable character its escape."""
    return "".join(item if item.isprintable() else _escaped(item) for item in " ".join(text.splitlines()))


def _escaped(character: str) -> str:
    return character.encode("unicode_escape", "backslashreplace").decode("ascii")
