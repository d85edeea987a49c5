"""The language of help texts, messages, docstrings and docs; the generated command-line reference is current."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.support.pages import CHANGELOGS, PAGES, ROOT, page_name

WORDS_TO_AVOID = {
    r"tells?|telling|told": "estimate, report, say directly",
    r"cannot tell|by itself|by heart|of its own": "unknown, missing, alone, overfitting",
    r"reckon(s|ed|ing)?|heed(s|ed)?|mend(s|ed)?|anew|afresh|whoever|everybody|nobody|those who": "standard English",
    r"photos?|photographs?": "image, full image",
    r"made-up|made up": "synthetic, example",
    r"how crowded|felt density|polite(ly)?": "density, local density, termination signal",
    r"doubtful|clash(es)?|left out|leave out|leaves out": "ambiguous, name conflict, skipped",
    r"goes on|go on|going on|went on": "continue, resume",
    r"learner": "trainer",
    r"pickle machine|round of pictures": "interpreter, micro-batch",
    r"(?<!there )(is|are) no (?!longer|more|larger|smaller|less)\w+": "is not a …",
    r"optimiser": "optimizer, as in torch",
    r"pictures?": "image",
    r"normalized|centered|colors?|behavior|optimizations?": "British spelling",
}
"""Patterns of words that texts must not contain, and what to write instead (whole words, any case)."""

EXCEPTIONS = {
    r"--pictures|\"pictures\"|`pictures`|'pictures'|\bpictures\[|\.pictures\b|^pictures$": "option and JSON key",
    r"\"optimiser\"|`optimiser`|'optimiser'|^optimiser$|\.optimiser\b": "JSON key",
    r"Color Universal Design": "title",
    r"\.tell\(|`tell`": "method of Python files",
}
"""Patterns that are removed from a text before it is checked: fixed names of options, keys and Python's own methods."""


def words_to_avoid(text: str) -> list[str]:
    """The words in a text that should be replaced."""
    for exception in EXCEPTIONS:
        text = re.sub(exception, "", text)
    return [match[0] for pattern in WORDS_TO_AVOID for match in re.finditer(rf"\b(?:{pattern})\b", text, re.IGNORECASE)]


def module_texts(path: Path) -> Iterator[tuple[int, str]]:
    """Docstrings, help texts and messages of a module: all its strings that contain a space, and their lines."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value:
            yield node.lineno, node.value


def docstrings(path: Path) -> Iterator[tuple[int, str]]:
    """Docstrings of a module and everything in it, and their lines."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            text = ast.get_docstring(node)
            if text:
                yield getattr(node, "lineno", 1), text


MODULES = sorted(ROOT.glob("packages/*/src/**/*.py"))


def test_words_to_avoid_are_detected() -> None:
    assert words_to_avoid("It tells how crowded a picture is.") == ["tells", "how crowded", "picture"]
    assert words_to_avoid("The option `--pictures`; the number of telltales is no longer limited.") == []


@pytest.mark.parametrize("package", sorted(ROOT.glob("packages/*")), ids=lambda path: path.name)
def test_modules_use_standard_english(package: Path) -> None:
    assert [
        f"{path.relative_to(ROOT)}:{line}: {words}"
        for path in MODULES
        if package in path.parents
        for line, text in module_texts(path)
        if (words := words_to_avoid(text))
    ] == []


@pytest.mark.parametrize("path", [*PAGES, *CHANGELOGS], ids=page_name)
def test_pages_use_standard_english(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    assert [f"{number}: {words}" for number, line in enumerate(lines, 1) if (words := words_to_avoid(line))] == []


REPOSITORY_URL = re.compile(
    r"https://(?:github\.com/crowdgan/crowdgan/(?:blob|tree)/main/|raw\.githubusercontent\.com/crowdgan/crowdgan/main/)"
)
SITE_URL = "https://crowdgan.github.io/crowdgan/"


def link_targets(page: Path) -> Iterator[tuple[str, Path]]:
    """Links of a page to files of the repository or pages of its site, and the files that must exist."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        address = link.partition("#")[0]
        if REPOSITORY_URL.match(address):
            yield link, ROOT / REPOSITORY_URL.sub("", address)
        elif address.startswith(SITE_URL):
            name = address.removeprefix(SITE_URL).rstrip("/") or "."
            index = ROOT / "docs" / name / "index.md"
            yield link, index if index.exists() else ROOT / "docs" / f"{name}.md"
        elif address and "://" not in address:
            yield link, page.parent / address


@pytest.mark.parametrize("path", PAGES, ids=page_name)
def test_links_within_the_project_lead_to_files_that_exist(path: Path) -> None:
    targets = list(link_targets(path))
    assert [link for link, target in targets if not target.exists()] == []
    if "packages" in path.parts:  # shown on PyPI, where relative links do not work
        assert [link for link, _ in targets if "://" not in link] == []


def test_docstrings_begin_with_what_a_function_returns_or_does() -> None:
    clause = re.compile(r"(What|How|Where|Who|Which|Why|Whose)\b")
    assert [
        f"{path.relative_to(ROOT)}:{line}: {text.splitlines()[0]}"
        for path in [*MODULES, *sorted(ROOT.glob("tests/**/*.py")), *sorted(ROOT.glob("bench/*.py"))]
        for line, text in docstrings(path)
        if clause.match(text)
    ] == []


@pytest.mark.skipif(
    f"click=={version('click')}\n" not in (ROOT / "constraints.txt").read_text(),
    reason="other versions of click write other help texts",
)
def test_the_command_line_reference_is_current(tmp_path: Path) -> None:
    # In a new process, since click stores the help option of a command that was invoked without its group.
    page = tmp_path / "cli.md"
    subprocess.run([sys.executable, str(ROOT / "tools" / "cli_reference.py"), str(page)], check=True)
    current = page.read_text(encoding="utf-8")
    assert (ROOT / "docs" / "reference" / "cli.md").read_text(encoding="utf-8") == current, "run `nox -s cli-reference`"
