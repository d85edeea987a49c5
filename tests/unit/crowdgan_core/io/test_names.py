"""Equality of names, and files that are not data."""

from __future__ import annotations

import unicodedata

import pytest

from crowdgan_core.io.names import canonical_name, is_ignored, is_system_file, natural_key

SAME_NAMES = {
    "Images/café.jpg": ["Images/cafe\u0301.jpg", "Images\\café.jpg", "./Images/café.jpg", "Images//café.jpg"],
    "Images/한글.png": [unicodedata.normalize("NFD", "Images/한글.png"), "Images/./한글.png"],
    "a/b.c": ["a\\b.c", ".\\a\\b.c", "a/b.c/", "a/b.c/."],
    "a..b/c": ["a..b\\c"],
    "": [""],
}


@pytest.mark.parametrize(("canonical", "names"), SAME_NAMES.items())
def test_names_that_differ_in_unicode_form_or_separators_are_the_same(canonical: str, names: list[str]) -> None:
    assert {canonical_name(name) for name in [canonical, *names]} == {canonical}


@pytest.mark.parametrize("name", ["a.jpg", "A.jpg", "a .jpg", "a/../a.jpg", "\udce9.jpg", "../a.jpg", "a\u030a.jpg"])
def test_names_with_other_letters_or_folders_are_different(name: str) -> None:
    others = {"a.jpg", "A.jpg", "a .jpg", "a/../a.jpg", "\udce9.jpg", "../a.jpg", "a\u030a.jpg"} - {name}
    assert canonical_name(name) not in set(map(canonical_name, others))
    assert canonical_name(canonical_name(name)) == canonical_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "._a.jpg",
        "x/._a.odgt",
        ".DS_Store",
        "x/.DS_Store",
        "__MACOSX",
        "thumbs.db",
        "Thumbs.db",
        "desktop.ini",
        "@eaDir",
    ],
)
def test_files_of_operating_systems_are_ignored(name: str) -> None:
    assert is_system_file(name)
    assert is_ignored(name)
    assert is_ignored(f"{name}/a.jpg")
    assert is_ignored(f"x\\{name}")


@pytest.mark.parametrize("name", [".git", ".env", ".hidden.jpg"])
def test_other_hidden_files_are_ignored_but_are_not_system_files(name: str) -> None:
    assert is_ignored(name)
    assert not is_system_file(name)


@pytest.mark.parametrize("name", ["a.jpg", "x/_a.jpg", "x/a.", "MACOSX/a.jpg", "x/thumbs.db.jpg"])
def test_other_files_are_not_ignored(name: str) -> None:
    assert not is_ignored(name)


def test_names_are_sorted_by_the_values_of_their_numbers() -> None:
    names = ["f10", "f9", "F011", "f", "10", "9b", "f9/2", "f9/10", "f010"]
    assert sorted(names, key=natural_key) == ["9b", "10", "f", "f9", "f9/2", "f9/10", "f010", "f10", "F011"]
