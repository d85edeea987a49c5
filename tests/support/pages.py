"""The pages of the documentation and their code blocks."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]

PAGES = sorted(
    page for pattern in ("*.md", "docs/**/*.md", "packages/*/README.md", "tests/**/*.md") for page in ROOT.glob(pattern)
)
"""All pages except the changelogs."""

CHANGELOGS = sorted(ROOT.glob("packages/*/CHANGELOG.md"))


@dataclass(frozen=True)
class CodeBlock:
    """A fenced block of a page."""

    language: str
    text: str
    comment: str
    """Text of the HTML comment on the line above the block; empty if there is none."""

    @property
    def is_run(self) -> bool:
        """Whether tests run the block: it has no comment `not run: REASON`."""
        return not self.comment.startswith("not run: ")

    def commands(self) -> list[list[str]]:
        """Words of the commands of a shell block, without comments."""
        lines = self.text.replace("\\\n", " ").splitlines()
        return [words for line in lines if (words := shlex.split(line, comments=True))]


def page_name(path: Path) -> str:
    """Path of a page relative to the repository."""
    return path.relative_to(ROOT).as_posix()


def code_blocks(path: Path) -> list[CodeBlock]:
    """The fenced blocks of a page, in order."""
    pattern = r"(?:^<!-- ([^\n]*) -->\n)?^```([\w-]*)\n(.*?)^```"
    matches = re.findall(pattern, path.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    return [CodeBlock(language, text, comment) for comment, language, text in matches]
