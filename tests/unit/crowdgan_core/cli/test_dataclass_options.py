"""Click options created from a dataclass."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import click
import pytest
from click.testing import CliRunner

from crowdgan_core.cli.common.dataclass_options import add_options, given_options, options_from
from crowdgan_core.errors import ConfigError
from crowdgan_core.utils.flags import flag, format_size, parse_size


def return_four() -> int:
    return 4


@dataclass(frozen=True, kw_only=True)
class BaseOptions:
    """Options that a subclass inherits."""

    workers: int = flag(
        "--workers",
        default_factory=return_four,
        min=1,
        shown_default="one per core",
        help="Number of worker processes.",
    )


@dataclass(frozen=True, kw_only=True)
class ExampleOptions(BaseOptions):
    """One option of each type."""

    data: Path = flag("--data", help="Dataset.")
    variant: Literal["stylegan3-t", "stylegan2"] = flag("--cfg", default="stylegan3-t", help="Architecture.")
    batch: int | None = flag("--batch", auto=True, min=1, help="Batch size.")
    gamma: float | None = flag("--gamma", auto=True, help="R1 penalty weight.")
    conditional: bool | None = flag(
        "--cond", default=None, shown_default="if the dataset has labels", help="Condition on labels."
    )
    mirror: bool = flag("--mirror", default=False, help="Augment with horizontal flips.")
    benchmark: bool = flag("--nobench", default=True, negated=True, help="Turn off autotuning.")
    dry_run: bool = flag("-n", "--dry-run", default=False, switch=True, help="Print the config and exit.")
    total_kimg: float = flag("--kimg", default=25_000.0, help="Training length in kimg.")
    frozen: int = flag("--freezed", default=0, min=0, max=9, help="Layers to freeze.")
    size: tuple[int, int] | None = flag(
        "--resolution",
        default=(480, 640),
        metavar="WIDTHxHEIGHT",
        parse=parse_size,
        format=format_size,
        help="Image size.",
    )
    density: tuple[float, float] = flag("--density", default=(0.08, 4.0), metavar="LOW HIGH", help="Range.")
    sources: tuple[Path, ...] = flag("--source", default=(), help="Folder to read (repeatable).")
    description: str | None = flag("--desc", default=None, help="Suffix of the run folder name.")
    source_model: str = "not an option"

    def __post_init__(self) -> None:
        if self.variant == "stylegan2" and self.mirror:
            raise ConfigError("mirror does not go with stylegan2")


def run(decorator: Any, *arguments: str) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Positional and keyword arguments that a decorated command receives."""
    received: list[tuple[tuple[Any, ...], dict[str, Any]]] = []

    def command(*args: Any, **keywords: Any) -> None:
        received.append((args, keywords))

    result = CliRunner().invoke(click.command()(decorator(command)), list(arguments), catch_exceptions=False)
    if not received:
        raise click.UsageError(result.output)
    return received[0]


def parse_options(*arguments: str, **changed_defaults: Any) -> ExampleOptions:
    ((options,), keywords) = run(options_from(ExampleOptions, **changed_defaults), "--data", "a.zip", *arguments)
    assert keywords == {}
    assert isinstance(options, ExampleOptions)
    return options


def help_text(decorator: Any) -> str:
    def command(*args: Any, **keywords: Any) -> None: ...

    return CliRunner().invoke(click.command()(decorator(command)), ["--help"], terminal_width=120).output


def test_an_option_that_is_not_given_has_the_default_of_the_dataclass() -> None:
    assert parse_options() == ExampleOptions(data=Path("a.zip"))


@pytest.mark.parametrize(
    ("arguments", "name", "value"),
    [
        (["--cfg", "stylegan2"], "variant", "stylegan2"),
        (["--batch", "32"], "batch", 32),
        (["--batch", "auto"], "batch", None),
        (["--gamma", "0.5"], "gamma", 0.5),
        (["--cond=false"], "conditional", False),
        (["--cond", "1"], "conditional", True),
        (["--mirror", "1"], "mirror", True),
        (["--mirror", "true"], "mirror", True),
        (["--nobench", "1"], "benchmark", False),
        (["--nobench=false"], "benchmark", True),
        (["-n"], "dry_run", True),
        (["--dry-run"], "dry_run", True),
        (["--kimg", "5000"], "total_kimg", 5000.0),
        (["--freezed", "9"], "frozen", 9),
        (["--workers", "2"], "workers", 2),
        (["--resolution", "512x288"], "size", (288, 512)),
        (["--density", "0.5", "6"], "density", (0.5, 6.0)),
        (["--source", "a", "--source", "b"], "sources", (Path("a"), Path("b"))),
        (["--desc", "first"], "description", "first"),
        (["--data", "b.h5"], "data", Path("b.h5")),
    ],
)
def test_an_option_has_the_type_of_its_annotation(arguments: list[str], name: str, value: object) -> None:
    options = parse_options(*arguments)
    assert getattr(options, name) == value
    assert type(getattr(options, name)) is type(value)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--cfg", "stylegan4"], "'stylegan4' is not one of 'stylegan3-t', 'stylegan2'."),
        (["--batch", "many"], "'many' is neither a number nor auto"),
        (["--batch", "0"], "0 is not in the range x>=1."),
        (["--batch", "1.5"], "'1.5' is not a valid integer"),
        (["--freezed", "10"], "10 is not in the range 0<=x<=9."),
        (["--workers", "0"], "0 is not in the range x>=1."),
        (["--mirror", "perhaps"], "'perhaps' is not a valid boolean"),
        (["--nobench", "perhaps"], "'perhaps' is not a valid boolean"),
        (["--resolution", "9"], "9 is not a size; write width and height in pixels, for example 256x256"),
        (["--density", "1"], "Option '--density' requires 2 arguments."),
    ],
)
def test_an_invalid_value_is_a_usage_error(arguments: list[str], message: str) -> None:
    with pytest.raises(click.UsageError) as caught:
        parse_options(*arguments)
    assert message in " ".join(str(caught.value).split())


def test_an_option_without_a_default_is_required() -> None:
    with pytest.raises(click.UsageError, match="Missing option '--data'"):
        run(options_from(ExampleOptions))


def test_an_error_of_the_dataclass_stays_a_config_error() -> None:
    with pytest.raises(ConfigError, match="mirror does not go with stylegan2"):
        parse_options("--cfg", "stylegan2", "--mirror", "1")


def test_a_config_error_of_a_parser_stays_a_config_error() -> None:
    def reject(text: str) -> int:
        raise ConfigError(f"seeds {text}: invalid")

    @dataclass(frozen=True, kw_only=True)
    class Seeds:
        seeds: int = flag("--seeds", parse=reject, help="Seeds.")

    with pytest.raises(ConfigError, match="seeds x: invalid"):
        run(options_from(Seeds), "--seeds", "x")


def test_a_command_can_change_defaults() -> None:
    options = parse_options(size=None, frozen=3)
    assert (options.size, options.frozen) == (None, 3)
    text = help_text(options_from(ExampleOptions, size=(288, 512), conditional=True))
    assert "Image size.  [default: 512x288]" in text
    assert "Condition on labels.  [default: True]" in text


def test_help_texts_show_types_defaults_and_limits() -> None:
    lines = [" ".join(line.split()) for line in help_text(options_from(ExampleOptions)).splitlines()]
    assert lines[lines.index("Options:") + 1 :] == [
        "--data PATH Dataset. [required]",
        "--cfg [stylegan3-t|stylegan2] Architecture. [default: stylegan3-t]",
        "--batch INTEGER|AUTO Batch size. [default: auto]",
        "--gamma FLOAT|AUTO R1 penalty weight. [default: auto]",
        "--cond BOOLEAN Condition on labels. [default: if the dataset has labels]",
        "--mirror BOOLEAN Augment with horizontal flips. [default: False]",
        "--nobench BOOLEAN Turn off autotuning. [default: False]",
        "-n, --dry-run Print the config and exit.",
        "--kimg FLOAT Training length in kimg. [default: 25000]",
        "--freezed INTEGER RANGE Layers to freeze. [default: 0; 0<=x<=9]",
        "--resolution WIDTHxHEIGHT Image size. [default: 640x480]",
        "--density LOW HIGH Range. [default: 0.08 4]",
        "--source PATH Folder to read (repeatable).",
        "--desc TEXT Suffix of the run folder name.",
        "--workers INTEGER RANGE Number of worker processes. [default: one per core; x>=1]",
        "--help Show this message and exit.",
    ]


def test_a_command_can_have_some_of_the_options() -> None:
    decorator = options_from(ExampleOptions, "data", "mirror")
    ((options,), _) = run(decorator, "--data", "a.zip", "--mirror", "1")
    assert options == ExampleOptions(data=Path("a.zip"), mirror=True)
    assert "--batch" not in help_text(decorator)


def test_objects_are_passed_in_the_order_of_the_decorators() -> None:
    def both(command: Any) -> Any:
        command = click.option("--plain")(command)
        return options_from(ExampleOptions, "data")(options_from(BaseOptions)(command))

    received, keywords = run(both, "--data", "a.zip", "--workers", "2", "--plain", "x")
    assert received == (ExampleOptions(data=Path("a.zip")), BaseOptions(workers=2))
    assert keywords == {"plain": "x"}


@pytest.mark.parametrize("decorator", [options_from, add_options])
def test_an_unknown_field_is_an_error(decorator: Any) -> None:
    with pytest.raises(ValueError, match=r"BaseOptions has no option batch; choose from workers"):
        decorator(BaseOptions, "batch")
    with pytest.raises(ValueError, match=r"BaseOptions has no option batch; choose from workers"):
        decorator(BaseOptions, batch=3)


def test_an_unsupported_annotation_is_an_error() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Unsupported:
        value: dict[str, int] = flag("--value", help="A mapping.")

    with pytest.raises(TypeError, match="--value: options of type dict"):
        options_from(Unsupported)


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """An option that the command requires in one case only."""

    data: Path = flag("--data", required_when="for a new run", help="Dataset.")
    seed: int = flag("--seed", default=0, help="Random seed.")
    benchmark: bool = flag("--nobench", default=True, negated=True, help="Turn off autotuning.")


def test_the_help_text_shows_when_an_option_is_required() -> None:
    assert "Dataset.  [required for a new run]" in help_text(options_from(RunOptions))
    with pytest.raises(click.UsageError, match="Missing option '--data': it is required for a new run"):
        run(options_from(RunOptions))


def test_values_are_passed_by_field_name_without_an_object() -> None:
    received, keywords = run(add_options(RunOptions), "--nobench", "1")
    assert received == ()
    assert keywords == {"data": None, "seed": 0, "benchmark": False}


def test_given_options_are_only_those_set_by_the_user() -> None:
    given: list[dict[str, Any]] = []

    @click.command()
    @add_options(RunOptions)
    @click.pass_context
    def command(ctx: click.Context, /, **values: Any) -> None:
        given.append(given_options(RunOptions, ctx))

    for arguments in ([], ["--seed", "0"], ["--nobench", "1", "--data", "a.zip"]):
        CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert given == [{}, {"seed": 0}, {"data": Path("a.zip"), "benchmark": False}]
