"""Limits on reading an untrusted file: a stream bounded by the file's size, and a budget of steps and memory."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import IO

from crowdgan_core.errors import CheckpointError

MAX_LINE_BYTES = 1024
"""Maximum length of a line; lines hold names of modules and classes."""

MAX_SHOWN_CHARACTERS = 100
"""Maximum number of characters from the file in an error message."""

MAX_STEPS = 1_000_000
"""Maximum number of opcodes per file; ours: ten times those of a snapshot with 150 layers."""

MAX_COPIED_BYTES_PER_FILE_BYTE = 4
"""Maximum number of copies of the file's bytes; ours: a snapshot of protocol 2 needs three."""

EXTRA_COPIED_BYTES = 1 << 20
"""Bytes that may be copied in addition, for small files."""


PLACEHOLDER_BYTES = 500
"""Approximate memory of a placeholder and its error."""


class RefusalError(CheckpointError):
    """A value of the file that is refused: an error if a wanted network contains it; see `Placeholder`."""


@dataclass(frozen=True, eq=False)
class Placeholder:
    """Replacement for a refused value, and for everything that is made of it; it holds nothing of the value."""

    problem: RefusalError


def refusal(problem: str) -> RefusalError:
    """An error that names a problem of the file; the reader of the file adds its path."""
    return RefusalError(f"refused: {problem}")


def describe_value(value: object) -> str:
    """A value from the file for an error message: short, printable, and without its contents if it is a container."""
    match value:
        case bool() | None | float():
            return str(value)
        case int():
            return str(value) if value.bit_length() <= MAX_SHOWN_CHARACTERS else "a huge number"
        case str():
            text = ascii(value[: MAX_SHOWN_CHARACTERS + 1])[1:-1]
            return text if len(text) <= MAX_SHOWN_CHARACTERS else f"{text[:MAX_SHOWN_CHARACTERS]}…"
    return f"a {type(value).__name__}"


class Budget:
    """Maximum number of steps and copied bytes for reading one file."""

    def __init__(self, file_bytes: int) -> None:
        self._steps = MAX_STEPS
        self._bytes = MAX_COPIED_BYTES_PER_FILE_BYTE * file_bytes + EXTRA_COPIED_BYTES

    def spend_step(self) -> None:
        """Counts one opcode.

        Raises:
            CheckpointError: `MAX_STEPS` are exceeded.
        """
        self._steps -= 1
        if self._steps < 0:
            raise CheckpointError(f"refused: the pickle has more than {MAX_STEPS} opcodes")

    def spend_bytes(self, count: int) -> None:
        """Counts a copy of `count` bytes.

        Raises:
            CheckpointError: the copies exceed the limit for the file's size.
        """
        self._bytes -= count
        if self._bytes < 0:
            raise CheckpointError("refused: the pickle asks for far more memory than it has bytes")


class Stream:
    """A binary file that never reads beyond its end, whatever length is requested."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        self._file = file
        self._size = size

    @classmethod
    def from_bytes(cls, data: bytes) -> Stream:
        """The stream of bytes in memory."""
        return cls(io.BytesIO(data), len(data))

    @property
    def remaining(self) -> int:
        """Number of unread bytes."""
        return self._size - self._file.tell()

    def tell(self) -> int:
        """Position in bytes from the start."""
        return self._file.tell()

    def read(self, count: int) -> bytes:
        """The next `count` bytes, or all remaining bytes if there are fewer."""
        return self._file.read(min(count, self.remaining))

    def skip(self, count: int) -> None:
        """Moves the position forward by `count` bytes."""
        self._file.seek(count, io.SEEK_CUR)

    def readline(self) -> bytes:
        """The next line, with its line break.

        Raises:
            CheckpointError: the line has `MAX_LINE_BYTES` or more.
        """
        line = self._file.readline(MAX_LINE_BYTES)
        if len(line) == MAX_LINE_BYTES:
            raise refusal(f"the pickle has a line of {MAX_LINE_BYTES} bytes or more in place of a name")
        return line
