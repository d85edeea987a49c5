"""The commands in the READMEs and help texts run unchanged."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from torch.distributed.run import get_args_parser

from crowdgan_core.cli.app import build_tree
from crowdgan_core.cli.common.lazy_command import load_command
from crowdgan_core.plugins.discovery import installed_plugins
from crowdgan_core.synthetic import SyntheticConfig, write_synthetic_dataset
from crowdgan_stylegan3.config import generator_config
from crowdgan_stylegan3.inference.random_init import random_generator
from tests.support.official_snapshots import write_official
from tests.support.run_folders import stats_lines, write_run, write_stats
from tests.support.sources import add_shanghaitech
from tests.support.video import write_video, write_zones

ROOT = Path(__file__).parents[2]
READMES = [ROOT / "README.md", *sorted(ROOT.glob("packages/*/README.md")), ROOT / "docs" / "planning.md"]
PYTHON_README = ROOT / "packages" / "crowdgan-stylegan3" / "README.md"
"""A page with a program that uses the output of its commands."""

EXTRA_OPTIONS = {
    ("synth", "others"): ["--images", "40", "--resolution", "64x64", "--workers", "1"],  # enough for density fidelity
    ("synth",): ["--images", "6", "--resolution", "64x64", "--workers", "1"],
    ("train", "stylegan3"): ["--kimg", "0.001", "--cbase", "256", "--cmax", "4", "--workers", "0", "--batch-gpu", "4"],
}
"""Options that reduce the run time of commands."""


def fenced_commands(path: Path) -> list[list[str]]:
    """Arguments of the `crowdgan` commands, with or without `.venv/bin/`, in the fenced blocks of a page."""
    blocks = re.findall(r"^```\w*\n(.*?)^```", path.read_text(), re.MULTILINE | re.DOTALL)
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    return [shlex.split(line, comments=True)[1:] for line in lines if re.match(r"(\.venv/bin/)?crowdgan ", line)]


def run(arguments: list[str]) -> None:
    extra_options = next(
        (options for words, options in EXTRA_OPTIONS.items() if tuple(arguments[: len(words)]) == words), []
    )
    result = CliRunner().invoke(build_tree(installed_plugins()), [*arguments, *extra_options], catch_exceptions=False)
    assert result.exit_code == 0, result.output


@pytest.fixture
def working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with datasets, runs and models under the names that the pages use."""
    monkeypatch.chdir(tmp_path)
    for name in ("CrowdHuman", "DIR"):
        write_synthetic_dataset(SyntheticConfig(images=6, size=(64, 64)), tmp_path / name)
    write_video(tmp_path / "station", 8)
    write_zones(tmp_path / "gates.geojson")
    add_shanghaitech(tmp_path / "ShanghaiTech" / "part_A_final" / "test_data", 1, 2)
    write_run(tmp_path / "runs" / "00000-first")
    write_stats(tmp_path / "runs" / "00001-resumed", stats_lines(40, seed=1))
    config = generator_config("stylegan3-t", resolution=16, label_dim=3, channel_base=256, channel_max=8)
    write_official(tmp_path / "network-snapshot-025000.pkl", random_generator(config, seed=0))
    return tmp_path


@pytest.mark.parametrize("path", READMES, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_commands_of_a_readme_run(path: Path, working_folder: Path) -> None:
    commands = fenced_commands(path)
    assert commands
    for arguments in commands:
        run([*arguments, "--overwrite"] if "--dest" in arguments else arguments)


def test_the_program_of_a_readme_runs_after_its_commands(working_folder: Path) -> None:
    for arguments in fenced_commands(PYTHON_README):
        if arguments[:2] == ["stylegan3", "init"]:
            run(arguments)
    (program,) = re.findall(r"^```python\n(.*?)^```", PYTHON_README.read_text(), re.MULTILINE | re.DOTALL)
    variables: dict[str, object] = {}
    exec(program, variables)
    assert getattr(variables["images"], "shape", None) == (2, 64, 64, 3)


def test_the_first_commands_of_the_help_text_run(working_folder: Path) -> None:
    text = build_tree(installed_plugins()).help or ""
    commands = [shlex.split(line)[1:] for line in text.splitlines() if line.startswith("  crowdgan ")]
    assert [arguments[0] for arguments in commands] == ["synth", "label", "inspect"]
    for arguments in commands:
        run(arguments)


def option_names(command: click.Command) -> set[str]:
    return {name for parameter in command.params for name in parameter.opts}


@pytest.mark.parametrize("words", installed_plugins().commands)
def test_examples_in_help_texts_use_options_that_exist(words: str) -> None:
    command = load_command(installed_plugins().commands[words].command)
    example = (command.help or "").partition("Examples:")[2]
    used = set(re.findall(r"(?<=\s)--[a-z][a-z-]+", example))
    assert used <= option_names(command)


def test_the_setup_commands_differ_only_in_the_task() -> None:
    commands = re.findall(r"^python3 -m venv .*$", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert [command.rpartition(" ")[2] for command in commands] == ["demo", "tests"]
    assert len({command.rpartition(" ")[0] for command in commands}) == 1


def test_the_torchrun_commands_of_the_page_on_clusters_are_valid() -> None:
    blocks = re.findall(r"^```bash\n(.*?)^```", (ROOT / "docs" / "cluster.md").read_text(), re.MULTILINE | re.DOTALL)
    lines = "\n".join(blocks).replace("\\\n", " ").replace("$SLURM_JOB_NUM_NODES", "2").splitlines()
    commands = [shlex.split(line.partition("torchrun ")[2]) for line in lines if "torchrun " in line]
    assert len(commands) == 2
    for words in commands:
        torchrun = get_args_parser().parse_args(words)
        assert (torchrun.nnodes, torchrun.module, torchrun.training_script) == ("2", True, "crowdgan_core")
        result = CliRunner().invoke(build_tree(installed_plugins()), [*torchrun.training_script_args, "--help"])
        assert result.exit_code == 0, result.output
