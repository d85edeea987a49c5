"""The commands and programs of the documentation and the help texts run; only the amount of work is reduced."""

from __future__ import annotations

import re
import shlex
import shutil
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from torch.distributed.run import get_args_parser

from crowdgan_core.api import build_dataset, open_source
from crowdgan_core.cli.app import build_tree
from crowdgan_core.cli.common.lazy_command import load_command
from crowdgan_core.plugins.discovery import installed_plugins
from crowdgan_core.synthetic import SyntheticConfig, write_synthetic_dataset
from crowdgan_stylegan3.config import generator_config
from crowdgan_stylegan3.inference.random_init import random_generator
from tests.support.official_snapshots import write_official
from tests.support.pages import PAGES, ROOT, CodeBlock, code_blocks, page_name
from tests.support.run_folders import stats_lines, write_run, write_stats
from tests.support.sources import add_shanghaitech, image_bytes, write_files
from tests.support.video import write_video, write_zones

SETUP_COMMANDS = ("pip", "python3", "git", "nox")
"""Commands that install; tests of the distributions run them."""

RUN_ELSEWHERE = ("docs/plugins/", "docs/reference/python.md")
"""Beginnings of the names of pages with programs that other tests run."""

EXTRA_OPTIONS = {
    ("synth", "others"): ["--images", "40", "--resolution", "64x64", "--workers", "1"],  # enough for density fidelity
    ("synth", "station"): ["--images", "4", "--overwrite"],
    ("synth",): ["--images", "24", "--resolution", "64x64", "--workers", "1", "--overwrite"],
    ("edit",): ["--overwrite"],
    ("label",): ["--overwrite", "--workers", "1"],
    ("project",): ["--num-steps", "3", "--tune-steps", "3"],
    ("metrics", "density"): ["--num-images", "40"],
    ("metrics", "--network"): ["--num-images", "20"],
    ("stylegan3", "import"): ["--overwrite"],
    ("stylegan3", "video"): ["--frames", "2"],
}
"""Options that reduce the run time of commands, or allow pages to write the same file twice, by the first words."""

TINY_TRAINING = ["--kimg", "0.001", "--workers", "0", "--batch-gpu", "4"]
TINY_NETWORK = ["--cbase", "256", "--cmax", "4"]


def is_program(block: CodeBlock) -> bool:
    """Whether a block is run by the tests of this module."""
    return block.is_run and (block.language == "python" or (block.language == "bash" and "crowdgan " in block.text))


def run_page(path: Path) -> None:
    """Runs the shell and Python blocks of a page in their order; programs share their variables."""
    variables: dict[str, object] = {}
    for block in code_blocks(path):
        if not is_program(block):
            continue
        if block.language == "bash":
            for words in block.commands():
                if words[0] == "crowdgan":
                    run(words[1:])
        elif sys.version_info >= (3, 11):  # tables need pandas
            exec(block.text, variables)


def run(arguments: list[str]) -> None:
    extra_options = next((options for words, options in EXTRA_OPTIONS.items() if begins(arguments, words)), [])
    if begins(arguments, ("train", "stylegan3")):
        extra_options = TINY_TRAINING if "--resume" in arguments else [*TINY_TRAINING, *TINY_NETWORK]
    words = [path for argument in arguments for path in expand(argument)]
    result = CliRunner().invoke(build_tree(installed_plugins()), [*words, *extra_options], catch_exceptions=False)
    assert result.exit_code == 0, f"crowdgan {shlex.join(arguments)}: {result.output}"


def expand(argument: str) -> list[str]:
    """The paths that a pattern matches in the working folder, as in a shell; other arguments unchanged."""
    return sorted(map(str, Path().glob(argument))) if "*" in argument else [argument]


def begins(arguments: list[str], words: tuple[str, ...]) -> bool:
    return tuple(arguments[: len(words)]) == words


@pytest.fixture(scope="session")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sources, runs and models under the names that the pages use."""
    folder = tmp_path_factory.mktemp("inputs")
    write_synthetic_dataset(SyntheticConfig(images=24, size=(64, 64)), folder / "crowds")
    source = open_source(folder / "crowds")
    build_dataset(source, folder / "crowds.zip", density="kde", label_kind="value", resolution=(64, 64))
    for name in ("CrowdHuman", "DIR"):
        shutil.copytree(folder / "crowds", folder / name)
    write_video(folder / "station", 8)
    write_zones(folder / "gates.geojson")
    add_shanghaitech(folder / "ShanghaiTech" / "part_A_final" / "test_data", 1, 2)
    write_files(folder, {"square.jpg": image_bytes(2, (64, 64))})
    write_run(folder / "runs" / "00000-first")
    write_stats(folder / "runs" / "00001-resumed", stats_lines(40, seed=1))
    config = generator_config("stylegan3-t", resolution=16, label_dim=3, channel_base=256, channel_max=8)
    write_official(folder / "network-snapshot-025000.pkl", random_generator(config, seed=0))
    return folder


@pytest.fixture
def working_folder(inputs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a copy of the inputs."""
    shutil.copytree(inputs, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPLBACKEND", "agg")
    return tmp_path


@pytest.mark.parametrize(
    "path",
    [
        path
        for path in PAGES
        if not page_name(path).startswith(RUN_ELSEWHERE) and any(map(is_program, code_blocks(path)))
    ],
    ids=page_name,
)
def test_the_commands_and_programs_of_a_page_run(path: Path, working_folder: Path) -> None:
    run_page(path)


@pytest.mark.parametrize("path", PAGES, ids=page_name)
def test_shell_blocks_contain_commands_that_are_run_or_state_why_they_are_not(path: Path) -> None:
    blocks = code_blocks(path)
    assert [
        block.text for block in blocks if re.match(r"(\$ ?)?crowdgan ", block.text) and block.language != "bash"
    ] == []
    others = [
        shlex.join(words)
        for block in blocks
        if block.language == "bash" and block.is_run and block.comment not in ("demo", "tests")
        for words in block.commands()
        if words[0] not in ("crowdgan", *SETUP_COMMANDS)
    ]
    assert others == [], "mark the block with <!-- not run: REASON -->"


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
    blocks = [block for block in code_blocks(ROOT / "docs" / "how-to" / "cluster.md") if "torchrun " in block.text]
    texts = [block.text.replace("$SLURM_JOB_NUM_NODES", "2").replace("\\\n", " ") for block in blocks]
    lines = [line for text in texts for line in text.splitlines() if "torchrun " in line]
    commands = [shlex.split(line.partition("torchrun ")[2]) for line in lines]
    assert len(commands) == 2
    for words in commands:
        torchrun = get_args_parser().parse_args(words)
        assert (torchrun.nnodes, torchrun.module, torchrun.training_script) == ("2", True, "crowdgan_core")
        result = CliRunner().invoke(build_tree(installed_plugins()), [*torchrun.training_script_args, "--help"])
        assert result.exit_code == 0, result.output
