"""The command `crowdgan` in a subprocess."""

from __future__ import annotations

import itertools
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from crowdgan_core.cli.common.output import print_summary
from crowdgan_core.datasets.hdf5 import Hdf5Format
from crowdgan_core.datasets.zip_folder import ZipFormat
from crowdgan_core.pipeline.summary import BuildSummary
from tests.support.sources import image_bytes, odgt, person, write_files, write_zip

COMMANDS = ["synth", "label", "convert", "inspect", "generate", "sweep", "mix", "density", "plugins", "calibrate"]

PROGRAM = [sys.executable, "-c", "from crowdgan_core.cli import main; main()"]
"""Runs `crowdgan` in a subprocess; its arguments follow."""


def crowdgan(*arguments: str | Path, code: int = 0, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs `crowdgan` in a subprocess and checks its exit code."""
    program = [*PROGRAM, *map(str, arguments)]
    run = subprocess.run(program, capture_output=True, text=True, env={**os.environ, **environment}, timeout=120)
    assert run.returncode == code, run.stderr
    return run


@pytest.fixture
def crowds(tmp_path: Path) -> Path:
    """Images with 5, 20 and 40 persons."""
    records = {f"{count},a": [person(20 + n, 10 + n % 20) for n in range(count)] for count in (5, 20, 40)}
    entries = {f"Images/{name}.jpg": image_bytes(index) for index, name in enumerate(records)}
    return write_files(tmp_path / "crowds", {**entries, "annotation_train.odgt": odgt(records).encode()})


def test_help_lists_the_commands_in_workflow_order() -> None:
    output = crowdgan("--help").stdout
    positions = [output.index(f"\n  {name} ") for name in COMMANDS]
    assert positions == sorted(positions)
    assert "crowdgan-core" in output[positions[-1] :]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_a_help_text_with_examples(command: str) -> None:
    output = crowdgan(command, "--help").stdout
    assert output.startswith(f"Usage: crowdgan {command} ")
    assert command in ("plugins",) or "Example" in output


def test_labelling_to_zip_and_hdf5_gives_equal_datasets(tmp_path: Path, crowds: Path) -> None:
    for name in ("out.zip", "out.h5"):
        run = crowdgan(
            *("label", "--source", crowds, "--dest", tmp_path / name, "--density", "threshold"),
            *("--resolution", "32x32", "--transform", "center-crop"),
        )
        assert "images written" in run.stdout
        assert run.stdout.count("1 (33%)") == 3
    zip_reader, hdf5_reader = ZipFormat().open(tmp_path / "out.zip"), Hdf5Format().open(tmp_path / "out.h5")
    assert [item.label for item in zip_reader.metadata.images] == [0, 1, 2]
    assert [item.label for item in hdf5_reader.metadata.images] == [0, 1, 2]
    assert all((zip_reader.image(index) == hdf5_reader.image(index)).all() for index in range(3))
    hdf5_reader.close()


def test_inspect_summarises_a_dataset(tmp_path: Path, crowds: Path) -> None:
    dest, sheet = tmp_path / "out.zip", tmp_path / "sheet.png"
    crowdgan("label", "--source", crowds, "--dest", dest, "--density", "threshold", "--set", "sparse_up_to=5")
    output = crowdgan("inspect", dest, "--contact-sheet", sheet).stdout
    assert "3 images, 256x256 px" in output
    assert "sparse_up_to=5" in output
    assert sheet.read_bytes().startswith(b"\x89PNG")
    report = json.loads(crowdgan("inspect", dest, "--json").stdout)
    assert report["class_counts"] == {"sparse": 1, "medium": 1, "dense": 1}
    assert report["metadata"]["source"] == "crowdhuman: crowds"


def test_convert_keeps_labels(tmp_path: Path, crowds: Path) -> None:
    crowdgan("label", "--source", crowds, "--dest", tmp_path / "a.zip", "--density", "threshold")
    crowdgan("convert", "--source", tmp_path / "a.zip", "--dest", tmp_path / "b")
    crowdgan("convert", "--source", tmp_path / "b", "--dest", tmp_path / "c.h5")
    reader = Hdf5Format().open(tmp_path / "c.h5")
    assert [item.label for item in reader.metadata.images] == [0, 1, 2]
    assert reader.metadata.classes == ("sparse", "medium", "dense")
    reader.close()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--dest", "x.zip", "--density", "threshold", "--source", "nowhere"],
            "error: nowhere: no such file or",
        ),
        (
            ["--dest", "x.tar", "--density", "threshold", "--source", "S"],
            "error: x.tar: no dataset format matches",
        ),
        (
            ["--dest", "x.zip", "--density", "grdi", "--source", "S"],
            "no such density estimator grdi; choose from",
        ),
        (
            ["--dest", "x.zip", "--density", "grid", "--set", "a", "--source", "S"],
            "error: --set a is not valid; write --set name=",
        ),
        (
            ["--dest", "x.zip", "--density", "grid", "--set", "a=1", "--source", "S"],
            "error: --set a: grid has no such opt",
        ),
        (
            ["--dest", "x.zip", "--density", "grid", "--resolution", "9", "--source", "S"],
            "9 is not a size; write width and",
        ),
    ],
)
def test_a_user_error_is_one_line(crowds: Path, arguments: list[str], message: str) -> None:
    replaced = [str(crowds) if argument == "S" else argument for argument in arguments]
    code = 2 if "density estimator" in message or "not a size" in message else 1
    run = crowdgan("label", *replaced, code=code)
    assert message in run.stderr
    assert "Traceback" not in run.stderr
    assert run.stdout == ""


def test_a_plot_without_a_plotter_is_an_error_with_the_install_command(tmp_path: Path, crowds: Path) -> None:
    label = ("label", "--source", crowds, "--dest", tmp_path / "out.zip", "--density", "grid", "--plot", tmp_path / "p")
    run = crowdgan(*label, code=1, CROWDGAN_PLUGINS="density")
    assert run.stderr == "crowdgan: error: --plot needs a plugin with a scene plotter: pip install crowdgan-plot\n"
    assert not (tmp_path / "out.zip").exists()


def test_an_existing_destination_is_not_overwritten(tmp_path: Path, crowds: Path) -> None:
    dest = tmp_path / "out.zip"
    dest.write_bytes(b"existing data")
    run = crowdgan("label", "--source", crowds, "--dest", dest, "--density", "threshold", code=1)
    assert "already exists; choose another destination or add --overwrite" in run.stderr
    assert dest.read_bytes() == b"existing data"
    crowdgan("label", "--source", crowds, "--dest", dest, "--density", "threshold", "--overwrite")
    assert len(ZipFormat().open(dest)) == 3


def test_estimators_are_listed_with_their_options() -> None:
    output = crowdgan("density").stdout
    for name in ("threshold", "normalised", "euclidean", "grid", "grid-metres", "kde", "sg3-grid"):
        assert f"{name}  (crowdgan-density)" in output
    for arguments in (["threshold", "--json"], ["--json", "threshold"]):
        [estimator] = json.loads(crowdgan("density", *arguments).stdout)
        assert [option["name"] for option in estimator["options"]] == ["sparse_up_to", "medium_up_to"]
    assert "error: no such density estimator thrshold; choose from" in crowdgan("density", "thrshold", code=1).stderr


def test_an_environment_variable_selects_plugins() -> None:
    both = json.loads(crowdgan("plugins", "--json").stdout)
    assert [plugin["name"] for plugin in both["loaded"]][:2] == ["core", "density"]
    core = crowdgan("plugins", "--json", CROWDGAN_PLUGINS="")
    assert [plugin["name"] for plugin in json.loads(core.stdout)["loaded"]] == ["core"]
    missing = crowdgan("--help", CROWDGAN_PLUGINS="desnity")
    assert "warning: plugin desnity of no distribution failed to load" in missing.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_examples_in_help_texts_are_on_separate_lines(command: str) -> None:
    output = crowdgan(command, "--help").stdout
    assert "\\b" not in output
    assert "Example" not in output or re.search(r"Examples:\n    crowdgan ", output)


def test_repeated_conversion_keeps_all_metadata(tmp_path: Path, crowds: Path) -> None:
    names = ["a.zip", "b.h5", "c", "d.zip"]
    crowdgan(
        "label", "--source", crowds, "--dest", tmp_path / "a.zip", "--density", "threshold", "--label-kind", "value"
    )
    for before, after in itertools.pairwise(names):
        crowdgan("convert", "--source", tmp_path / before, "--dest", tmp_path / after)
    assert ZipFormat().open(tmp_path / "d.zip").metadata == ZipFormat().open(tmp_path / "a.zip").metadata


def test_the_source_is_never_overwritten(tmp_path: Path, crowds: Path) -> None:
    for dest in (crowds, tmp_path):
        run = crowdgan("label", "--source", crowds, "--dest", dest, "--density", "threshold", "--overwrite", code=1)
        assert "it would overwrite the source" in run.stderr
    assert len(list((crowds / "Images").iterdir())) == 3


def test_two_annotation_files_are_an_error(crowds: Path) -> None:
    twice = ["--annotations", "a.odgt", "--annotations", "b.odgt"]
    run = crowdgan("label", "--source", crowds, "--dest", "x.zip", "--density", "threshold", *twice, code=1)
    assert "--annotations is given 2 times" in run.stderr


def test_characters_missing_in_the_output_encoding_are_replaced() -> None:
    output = crowdgan("synth", "--help", PYTHONIOENCODING="iso8859-2").stdout
    assert "Range of densities in persons/m?, within" in " ".join(output.split())


def test_suggested_commands_are_quoted(tmp_path: Path, crowds: Path) -> None:
    out, dest = tmp_path / "my crowds", tmp_path / "my set.zip"
    rendered = crowdgan("synth", out, "--images", "1", "--resolution", "64x64", "--workers", "1")
    assert f"Next step: crowdgan label --source '{out}' --dest '{out}.zip' --density " in rendered.stdout
    labelled = crowdgan("label", "--source", crowds, "--dest", dest, "--density", "threshold")
    sheet = tmp_path / "my set-sheet.png"
    assert f"Next step: crowdgan inspect '{dest}' --contact-sheet '{sheet}'" in labelled.stdout


def test_a_summary_with_zero_elapsed_time_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    print_summary(BuildSummary(num_read=1, num_written=1, elapsed_s=0.0), Path("a.zip"))
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["time", "0.0", "s"] in lines


def test_synth_help_shows_the_limits() -> None:
    output = " ".join(crowdgan("synth", "--help").stdout.split())
    assert "Range of densities in persons/m², within 0.01 to 6." in output
    assert "Maximum number of people per image (1 to 5000)." in output


def test_a_resolution_that_is_too_large_is_one_line(tmp_path: Path, crowds: Path) -> None:
    run = crowdgan("convert", "--source", crowds, "--dest", tmp_path / "x.zip", "--resolution", "99999x99999", code=1)
    assert run.stderr == "crowdgan: error: resolution is 99999x99999; both must be from 1 to 8192 px\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no /dev/full")
@pytest.mark.parametrize("is_unbuffered", ["", "1"])
@pytest.mark.parametrize(
    "arguments", [["--help"], ["density"], ["plugins", "--json"], ["train", "stylegan3", "--help"]]
)
def test_output_to_a_full_disk_is_an_error_in_one_line(arguments: list[str], is_unbuffered: str) -> None:
    with Path("/dev/full").open("w") as full:
        run = subprocess.run(
            [*PROGRAM, *arguments],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": is_unbuffered},
            timeout=120,
        )
    assert run.returncode == 1
    assert run.stderr == "crowdgan: error: the output cannot be written (No space left on device)\n"


@pytest.mark.parametrize("is_unbuffered", ["", "1"])
@pytest.mark.parametrize("arguments", [["--help"], ["density"], ["plugins", "--json"], ["inspect", "missing.zip"]])
def test_a_closed_pipe_ends_a_command_quietly(arguments: list[str], is_unbuffered: str) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    environment = {**os.environ, "PYTHONUNBUFFERED": is_unbuffered}
    run = subprocess.run(
        [*PROGRAM, *arguments], stdout=writer, stderr=subprocess.PIPE, text=True, env=environment, timeout=120
    )
    assert run.returncode == 1
    assert run.stderr == ("crowdgan: error: missing.zip: no such file or folder\n" if "inspect" in arguments else "")
    both = subprocess.run([*PROGRAM, *arguments], stdout=writer, stderr=writer, env=environment, timeout=120)
    assert both.returncode == 1
    os.close(writer)


def read_count(run: subprocess.CompletedProcess[str], row: str) -> str:
    """The value of a row of the summary, on one line."""
    match = re.search(rf"{row}\s+(.*)", run.stdout)
    assert match is not None, run.stdout
    return match[1].strip()


def test_a_dataset_in_its_own_source_is_not_read_again(tmp_path: Path) -> None:
    source = write_files(tmp_path / "images", {f"{index}.jpg": image_bytes(index) for index in range(3)})
    for run_count in range(3):
        overwrite = ["--overwrite"] if run_count else []
        run = crowdgan("convert", "--source", source, "--dest", source / "out", *overwrite, COLUMNS="200")
        assert read_count(run, "images written") == "3"
        assert ("images of datasets in subfolders: 3" in run.stdout) == bool(run_count)


def test_a_folder_dataset_opened_in_the_finder_is_overwritten(tmp_path: Path) -> None:
    source = write_files(tmp_path / "images", {"a.jpg": image_bytes(1), ".DS_Store": b"", "._a.jpg": b""})
    crowdgan("convert", "--source", source, "--dest", tmp_path / "out")
    write_files(tmp_path / "out", {".DS_Store": b"", "00000/.DS_Store": b""})
    run = crowdgan("convert", "--source", source, "--dest", tmp_path / "out", "--overwrite")
    assert read_count(run, "images written") == "1"
    assert not (tmp_path / "out" / ".DS_Store").exists()


def test_the_summary_counts_unused_files(tmp_path: Path) -> None:
    names = ("a.jpg", "b.JPG", "c.jfif", "d.jpe", "e.tif", "f.gif", "notes.txt")
    source = write_files(tmp_path / "images", {name: image_bytes(1) for name in names})
    run = crowdgan("convert", "--source", source, "--dest", tmp_path / "out.zip", COLUMNS="200")
    assert (read_count(run, "images read"), read_count(run, "images written")) == ("4", "4")
    assert re.search(r"skipped +image files in unsupported formats: 2 \(e.tif, f.gif\)", run.stdout)
    assert re.search(r"skipped +files that are not images: 1 \(notes.txt\)", run.stdout)


def test_an_incomplete_download_is_an_error_even_if_errors_are_skipped(tmp_path: Path, crowds: Path) -> None:
    archive = write_zip(crowds / "CrowdHuman_train02.zip", {"Images/x.jpg": image_bytes(1)})
    archive.write_bytes(archive.read_bytes()[:-50])
    run = crowdgan(
        *("label", "--source", crowds, "--dest", tmp_path / "out.zip", "--density", "threshold"),
        *("--on-error", "skip"),
        code=1,
    )
    assert f"error: {archive}: incomplete ZIP archive" in run.stderr
    assert not (tmp_path / "out.zip").exists()


def test_an_unknown_layout_is_an_error_that_lists_what_was_found(tmp_path: Path) -> None:
    source = write_files(tmp_path / "crowd", {"a/p.jpg": image_bytes(1), "b/p.mat": b"MATLAB", "b/q.mat": b"MATLAB"})
    run = crowdgan("label", "--source", source, "--dest", tmp_path / "out.zip", "--density", "threshold", code=1)
    assert "found files that are not images: 2 (b/p.mat, b/q.mat)" in run.stderr
    assert "name the folder that contains both images and annotations" in run.stderr


def test_people_with_an_invalid_box_are_counted(tmp_path: Path) -> None:
    invalid = [
        person(30, 9),
        person(40, 9) | {"fbox": [1, 2, 3, 0], "extra": None},
        person(50, 9) | {"hbox": [0, 0, 0, 1]},
    ]
    entries = {"a.jpg": image_bytes(1), "t.odgt": odgt({"a": invalid}).encode()}
    source = write_files(tmp_path / "x", entries)
    arguments = ("label", "--source", source, "--dest", tmp_path / "out.zip", "--density", "threshold")
    run = crowdgan(*arguments, COLUMNS="200")
    assert "whose people are counted without them: 2" in run.stdout
    assert ZipFormat().open(tmp_path / "out.zip").metadata.images[0].person_count == 3
