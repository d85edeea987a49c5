"""Pretrained models are found by name, after paths that exist; errors list them."""

from __future__ import annotations

import re
from dataclasses import replace
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
from click.testing import CliRunner
from crowdgan_blobs.model import example_model, write_model

from crowdgan_core.api import load_generator
from crowdgan_core.cli.inspect import command as inspect
from crowdgan_core.errors import CheckpointError, PluginError
from crowdgan_core.hookspecs import PROJECT, PretrainedModel
from crowdgan_core.metrics.opening import open_inputs
from crowdgan_core.metrics.options import EvaluationOptions
from crowdgan_core.models.pretrained import find_model
from crowdgan_core.plugins.discovery import load_plugins
from crowdgan_core.plugins.registry import PluginRegistry
from tests.support.blob_plugins import installed_blobs

EXAMPLE_CARD = example_model("class", (32, 32)).card


@pytest.fixture
def plugins() -> PluginRegistry:
    """The pretrained model `blobs32` only."""
    return load_plugins([EntryPoint("blobs", "crowdgan_blobs.plugin", PROJECT)])


@pytest.fixture(autouse=True)
def in_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_pretrained_model_is_found_by_name(plugins: PluginRegistry) -> None:
    path = find_model(Path("blobs32"), plugins)
    assert path == plugins.pretrained_models["blobs32"].path
    with installed_blobs():
        assert load_generator("blobs32").card == EXAMPLE_CARD


def test_an_existing_path_takes_precedence(plugins: PluginRegistry) -> None:
    write_model(Path("blobs32"), example_model(None, (16, 16)))
    assert find_model(Path("blobs32"), plugins) == Path("blobs32")
    with installed_blobs():
        assert load_generator("blobs32").card.resolution == (16, 16)


def test_a_folder_with_the_name_of_a_model_is_an_error_unless_folders_are_read(plugins: PluginRegistry) -> None:
    Path("blobs32").mkdir()
    with pytest.raises(CheckpointError) as caught:
        find_model(Path("blobs32"), plugins)
    assert str(caught.value) == "blobs32: a folder, which hides the pretrained model blobs32; rename the folder"
    assert find_model(Path("blobs32"), plugins, accepts_folder=True) == Path("blobs32")
    Path("other").mkdir()
    assert find_model(Path("other"), plugins) == Path("other"), "the reader of the file reports other folders"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("blobs23", "blobs23: no such file; did you mean blobs32? pretrained models: blobs32"),
        ("blobs32.safetensors", "blobs32.safetensors: no such file; did you mean blobs32? pretrained models: blobs32"),
        ("runs/x.safetensors", "runs/x.safetensors: no such file; pretrained models: blobs32"),
        ("https://host/blobs32", "https://host/blobs32: a URL; download the file first"),
        ("x" * 5000, "no such file; pretrained models: blobs32"),
    ],
    ids=["typo", "with suffix", "path", "URL", "too long"],
)
def test_an_unknown_name_is_an_error_that_lists_the_models(plugins: PluginRegistry, name: str, message: str) -> None:
    with pytest.raises(CheckpointError, match=re.escape(message)):
        find_model(Path(name), plugins)


def test_without_pretrained_models_a_name_is_an_error_that_says_so() -> None:
    with pytest.raises(CheckpointError, match="^crowds: no such file; no pretrained models are installed$"):
        find_model(Path("crowds"), PluginRegistry())
    with pytest.raises(CheckpointError, match=r"^a\.safetensors: no such run folder or model$"):
        find_model(Path("a.safetensors"), PluginRegistry(), expected="run folder or model")


def test_a_pretrained_model_is_an_absolute_path_of_a_file(tmp_path: Path) -> None:
    with pytest.raises(PluginError, match="the path of the pretrained model a is 'a'; it must be an absolute Path"):
        PretrainedModel("a", "a", "")  # type: ignore[arg-type]
    with pytest.raises(PluginError, match="it must be an absolute Path"):
        PretrainedModel("a", Path("a"), "")
    for path in (tmp_path, tmp_path / "a.safetensors"):
        with pytest.raises(PluginError, match=re.escape(f"the pretrained model a is {path}; it must be a file")):
            PretrainedModel("a", path, "")


PLUGIN = """
from pathlib import Path
from types import SimpleNamespace
from crowdgan_core.hookspecs import hookimpl
from crowdgan_core.hookspecs import PretrainedModel
@hookimpl
def crowdgan_register_pretrained_models():
    return [MODEL]
"""


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        ("PretrainedModel('A b', Path(__file__), '')", "named A b; the name may contain lower-case letters, digits"),
        ("PretrainedModel('a', Path(__file__).parent / 'no', '')", "no; it must be a file that can be read"),
        ("SimpleNamespace(name='a', path=Path(__file__), description='')", "it must return PretrainedModel objects"),
        ("3", "returned 3, which is not a pretrained model: missing name, path, description"),
    ],
    ids=["name", "no file", "another class", "number"],
)
def test_a_violation_of_the_contract_removes_the_plugin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: str, reason: str
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    module = f"pretrained_{abs(hash(model))}"
    (tmp_path / f"{module}.py").write_text(PLUGIN.replace("MODEL", model))
    plugins = load_plugins(
        [EntryPoint("broken", module, PROJECT), EntryPoint("blobs", "crowdgan_blobs.plugin", PROJECT)]
    )
    assert list(plugins.pretrained_models) == ["blobs32"]
    assert [failure.name for failure in plugins.failures] == ["broken"]
    assert reason in plugins.failures[0].reason


def test_a_name_of_two_plugins_is_available_from_neither(plugins: PluginRegistry) -> None:
    plugins.loaded.append(replace(plugins.loaded[0], name="copy", distribution="copy"))
    assert plugins.pretrained_models == {}
    assert "provide the pretrained model blobs32, so it is not available" in plugins.warnings[0]


def test_a_damaged_pretrained_model_is_an_error_that_names_the_file(tmp_path: Path) -> None:
    with installed_blobs() as registry:
        model = registry.pretrained_models["blobs32"]
        damaged = tmp_path / "damaged.safetensors"
        damaged.write_bytes(model.path.read_bytes()[:-1])
        object.__setattr__(model, "path", damaged)
        with pytest.raises(CheckpointError, match=r"damaged\.safetensors: damaged; the file has"):
            load_generator("blobs32")


def test_inspect_prints_the_card_of_a_pretrained_model() -> None:
    with installed_blobs():
        result = CliRunner().invoke(inspect, ["blobs32"], catch_exceptions=False)
        assert "blobs32.safetensors: model of 32x32 px images" in result.stdout
        with pytest.raises(CheckpointError, match="blobs23: no such file or folder; did you mean blobs32"):
            CliRunner().invoke(inspect, ["blobs23"], catch_exceptions=False)


def test_metrics_evaluate_a_pretrained_model_by_name() -> None:
    with installed_blobs() as plugins:
        with open_inputs(EvaluationOptions(network=Path("blobs32")), plugins) as inputs:
            assert inputs.generator is not None
            assert (inputs.generator.card, inputs.generator_name) == (EXAMPLE_CARD, "blobs32")
        with (
            pytest.raises(CheckpointError, match="blobs23: no such file; did you mean blobs32"),
            open_inputs(EvaluationOptions(network=Path("blobs23")), plugins),
        ):
            raise AssertionError("the model does not exist")
