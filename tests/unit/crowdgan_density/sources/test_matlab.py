"""Reading variables of MATLAB 5 files, including damaged and malicious ones."""

from __future__ import annotations

import io
import re
import struct
import zlib

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from crowdgan_core.errors import DatasetError
from crowdgan_core.io.storage import FolderStore
from crowdgan_density.sources.matlab import MAX_ARRAYS, MAX_FILE_BYTES, MAX_UNPACKED_BYTES, read_variable
from crowdgan_density.sources.matlab_points import ShanghaiTech, UcfCc50
from tests.support.sources import HEAD_POINTS, image_info, mat_bytes


def big_endian_mat(points):
    """A MATLAB 5 file with one double array `annPoints`, as written on a big-endian machine."""
    flags = struct.pack(">IIII", 6, 8, 6, 0)
    shape = struct.pack(">IIii", 5, 8, *points.shape)
    name = struct.pack(">II", 1, 9) + b"annPoints".ljust(16, b"\0")
    data = struct.pack(">II", 9, points.size * 8) + points.T.astype(">f8").tobytes()
    matrix = flags + shape + name + data
    return b"MATLAB 5.0".ljust(124) + b"\x01\x00MI" + struct.pack(">II", 14, len(matrix)) + matrix


def test_files_of_either_byte_order_are_read():
    file = io.BytesIO(big_endian_mat(HEAD_POINTS))
    np.testing.assert_array_equal(read_variable(file, "points.mat", "annPoints"), HEAD_POINTS)


def nested_cells(depth):
    """A MATLAB 5 file with `depth` nested cells; scipy 1.17 crashes on 5,000."""
    cell = struct.pack("<IIIIIIiiII", 6, 8, 1, 0, 5, 8, 1, 1, 1, 0)
    lengths = [(len(cell) + 8) * level for level in range(depth, 0, -1)]
    return HEADER + b"".join(struct.pack("<II", 14, length) + cell for length in lengths) + bytes(8)


VALID = mat_bytes({"annPoints": HEAD_POINTS})
HEADER = VALID[:128]
NOT_MATLAB = "not a MATLAB 5 file, as written by MATLAB's save -v6 or -v7"
BOMB = zlib.compress(bytes(MAX_UNPACKED_BYTES + 1))


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", NOT_MATLAB),
        (b"x" * 5000, NOT_MATLAB),
        (b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM" + b"\x89HDF", NOT_MATLAB),
        (HEADER, "the variable annPoints is missing"),
        (VALID[:-1], f"damaged MATLAB file (truncated after {len(VALID) - 1} bytes)"),
        (HEADER + b"1234", "damaged MATLAB file (unpack_from requires a buffer of at least 136 bytes for unpacking 8 "
         "bytes at offset 128 (actual buffer size is 132))"),
        (HEADER + struct.pack("<II", 15, 4) + b"zzzz", "damaged MATLAB file (Error -3 while decompressing data: "
         "incorrect header check)"),
        (HEADER + struct.pack("<II", 15, len(BOMB)) + BOMB, f"unpacks to more than the allowed {MAX_UNPACKED_BYTES} "
         "bytes"),
        (bytes(MAX_FILE_BYTES + 1), f"the file is larger than the maximum of {MAX_FILE_BYTES} bytes"),
        (nested_cells(5000), f"contains more than the allowed {MAX_ARRAYS} arrays"),
        (mat_bytes({"points": HEAD_POINTS}), "the variable annPoints is missing"),
        (mat_bytes({"annPoints": np.zeros((4, 3))}), "annPoints is float64 [4, 3]; it must be numbers [num_heads, 2]"),
        (mat_bytes({"annPoints": "many"}), "annPoints is <U4 [1]; it must be numbers [num_heads, 2]"),
        (mat_bytes({"annPoints": np.array([[1, np.nan]])}), "annPoints contains non-finite numbers"),
        (mat_bytes(image_info(HEAD_POINTS)), "the variable annPoints is missing"),
    ],
)  # fmt: skip
def test_a_file_without_points_is_an_error_with_its_path(tmp_path, data, text):
    path = tmp_path / "7_ann.mat"
    path.write_bytes(data)
    with pytest.raises(DatasetError, match=f"^{re.escape(f'{path}: {text}')}$"):
        UcfCc50().read_points(FolderStore(tmp_path), path.name)


def test_a_missing_file_is_an_error_with_its_path(tmp_path):
    path = tmp_path / "gone.mat"
    with pytest.raises(DatasetError, match=f"^{re.escape(f'{path}: cannot be read (No such file or directory)')}$"):
        UcfCc50().read_points(FolderStore(tmp_path), path.name)


UNCOMPRESSED = mat_bytes(image_info(HEAD_POINTS), compressed=False)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
@given(
    st.lists(st.tuples(st.integers(128, len(UNCOMPRESSED) - 1), st.binary(min_size=1, max_size=8)), max_size=4),
    st.integers(100, len(UNCOMPRESSED)),
)
@example([], len(UNCOMPRESSED))
def test_damaged_files_are_errors_or_points(tmp_path, changes, length):
    data = bytearray(UNCOMPRESSED)
    for offset, piece in changes:
        data[offset : offset + len(piece)] = piece
    (tmp_path / "fuzzed.mat").write_bytes(data[:length])
    try:
        points = ShanghaiTech().read_points(FolderStore(tmp_path), "fuzzed.mat")
    except DatasetError as error:
        points, message = np.empty((0, 2)), str(error)
    else:
        message = f"{tmp_path / 'fuzzed.mat'}: read"
    assert message.startswith(f"{tmp_path / 'fuzzed.mat'}: ")
    assert points.ndim == 2
    assert points.shape[1] == 2


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=400))
def test_random_bytes_are_errors(tmp_path, data):
    (tmp_path / "random.mat").write_bytes(HEADER + data)
    with pytest.raises(DatasetError):
        UcfCc50().read_points(FolderStore(tmp_path), "random.mat")
