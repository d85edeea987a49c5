"""Commands that open a model say what another file is, and what to do."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from click.testing import CliRunner

from crowdgan_core.cli.app import build_tree
from crowdgan_core.errors import CrowdganError
from crowdgan_core.models.card import read_card
from crowdgan_core.plugins.discovery import installed_plugins
from crowdgan_stylegan3.config import generator_config
from crowdgan_stylegan3.inference.random_init import random_generator
from tests.support.foreign_files import FOREIGN_FILES
from tests.support.official_snapshots import write_official

COMMANDS = {
    "generate": ["generate", "--seeds", "0", "--outdir", "out", "--network"],
    "sweep": ["sweep", "--seed", "0", "--outdir", "out", "--network"],
    "mix": ["mix", "--rows", "0", "--cols", "1", "--outdir", "out", "--network"],
    "inspect": ["inspect"],
    "video": ["stylegan3", "video", "--seeds", "0-1", "--dest", "out.webp", "--network"],
    "spectra": ["plot", "spectra", "--out", "out.png", "--network"],
}
"""Commands that open models of crowdgan; the path follows."""

SNAPSHOT_COMMANDS = {
    "import": ["stylegan3", "import", "--dest", "out.safetensors"],
    "resume": ["train", "stylegan3", "--outdir", "out", "--data", "data.zip", "--resume"],
}
"""Commands that open official snapshots as well."""

EXPORT = ["stylegan3", "export", "--dest", "out.safetensors"]

URL = "https://example.org/models/stylegan3-t.pkl?download=1"


def error_of(arguments: list[str]) -> str:
    """The error message of a command that must leave no files."""
    before = sorted(Path.cwd().iterdir())
    result = CliRunner().invoke(build_tree(installed_plugins()), arguments)
    assert isinstance(result.exception, CrowdganError), result.output
    assert sorted(Path.cwd().iterdir()) == before
    return str(result.exception)


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A temporary working folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("command", "file"),
    [pair for pair in itertools.product(COMMANDS, FOREIGN_FILES) if pair != ("inspect", "ZIP archive")],
)
def test_a_foreign_file_is_explained(command: str, file: str) -> None:
    data, explanation = FOREIGN_FILES[file]
    Path("model.pkl").write_bytes(data)
    assert error_of([*COMMANDS[command], "model.pkl"]).startswith(f"model.pkl: {explanation}")


@pytest.mark.parametrize("file", [name for name in FOREIGN_FILES if name != "pickle"])
def test_a_file_that_is_not_a_snapshot_is_explained(file: str) -> None:
    data, explanation = FOREIGN_FILES[file]
    Path("model.pkl").write_bytes(data)
    assert error_of([*SNAPSHOT_COMMANDS["import"], "model.pkl"]).startswith(f"model.pkl: {explanation}")


@pytest.mark.parametrize("command", [*COMMANDS, *SNAPSHOT_COMMANDS, "export"])
def test_a_url_is_reported_as_such(command: str) -> None:
    arguments = {**COMMANDS, **SNAPSHOT_COMMANDS, "export": EXPORT}[command]
    message = error_of([*arguments, URL])
    assert message == f"{URL}: a URL; download the file first, and give the path of the downloaded file"


def test_an_official_snapshot_is_imported_as_the_message_says() -> None:
    generator = random_generator(generator_config("stylegan2", resolution=16, channel_base=64, channel_max=8), 0)
    write_official(Path("official.pkl"), generator)
    for command in COMMANDS.values():
        assert "crowdgan stylegan3 import FILE converts to a model" in error_of([*command, "official.pkl"])
    result = CliRunner().invoke(build_tree(installed_plugins()), ["stylegan3", "import", "official.pkl"])
    assert result.exit_code == 0, result.output
    assert read_card(Path("official.safetensors")).resolution == (16, 16)
