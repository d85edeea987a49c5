"""What bounds the reading of a file that is not trusted: its bytes, and a budget of work and memory."""

from __future__ import annotations

import io
from typing import IO

from crowdgan_core.errors import CheckpointError

LONGEST_LINE_BYTES = 1024
"""Longest line that is read; lines hold names of modules and classes."""

LONGEST_SHOWN = 100
"""Most characters of a file's text that a message repeats."""

MAX_STEPS = 1_000_000
"""Most opcodes of a file; ours: ten times those of a snapshot with 150 layers."""

BYTES_PER_FILE_BYTE = 4
"""How often the bytes of a file may be copied; ours: a snapshot of protocol 2 needs three times."""

SPARE_BYTES = 1 << 20
"""Bytes that a small file may copy on top."""


def refused(problem: str) -> CheckpointError:
    """The error that ends the reading; the reader of the file puts its path in front."""
    return CheckpointError(f"refused: {problem}")


def shown(value: object) -> str:
    """A value from a file, as a message may repeat it: short, printable, and without looking into it."""
    match value:
        case bool() | None | float():
            return str(value)
        case int():
            return str(value) if value.bit_length() <= LONGEST_SHOWN else "a huge number"
        case str():
            text = ascii(value[: LONGEST_SHOWN + 1])[1:-1]
            return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}…"
    return f"a {type(value).__name__}"


class Budget:
    """Work and memory that reading one file may take, whatever the file says."""

    def __init__(self, file_bytes: int) -> None:
        self._steps = MAX_STEPS
        self._bytes = BYTES_PER_FILE_BYTE * file_bytes + SPARE_BYTES

    def spend_step(self) -> None:
        """Counts one opcode.

        Raises:
            CheckpointError: there were `MAX_STEPS` already.
        """
        self._steps -= 1
        if self._steps < 0:
            raise refused(f"the pickle has more than {MAX_STEPS} opcodes")

    def spend_bytes(self, count: int) -> None:
        """Counts a copy of `count` bytes.

        Raises:
            CheckpointError: more is copied than the file's size allows.
        """
        self._bytes -= count
        if self._bytes < 0:
            raise refused("the pickle asks for far more memory than it has bytes")


class Stream:
    """The part of a binary file that is left; reads no more than there is, whatever length is asked for."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        self._file = file
        self._size = size

    @classmethod
    def of(cls, data: bytes) -> Stream:
        """The stream of bytes in memory."""
        return cls(io.BytesIO(data), len(data))

    @property
    def left(self) -> int:
        """Number of bytes not read yet."""
        return self._size - self._file.tell()

    def tell(self) -> int:
        """Position, in bytes from the start."""
        return self._file.tell()

    def read(self, count: int) -> bytes:
        """The next `count` bytes, or as many as are left."""
        return self._file.read(min(count, self.left))

    def skip(self, count: int) -> None:
        """Leaves `count` bytes out."""
        self._file.seek(count, io.SEEK_CUR)

    def readline(self) -> bytes:
        """The next line with its end.

        Raises:
            CheckpointError: it is longer than a name can be.
        """
        line = self._file.readline(LONGEST_LINE_BYTES)
        if len(line) == LONGEST_LINE_BYTES:
            raise refused(f"the pickle has a line of {LONGEST_LINE_BYTES} bytes or more where a name belongs")
        return line
