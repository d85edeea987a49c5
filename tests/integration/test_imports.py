"""Import rules: direction between packages, no cycles, click only in command modules; libraries that commands load."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from crowdgan_core.cli.app import build_tree
from crowdgan_core.cli.common.lazy_command import load_command
from crowdgan_core.plugins.discovery import installed_plugins
from crowdgan_stylegan3.config import generator_config
from crowdgan_stylegan3.inference.random_init import random_card, random_generator
from crowdgan_stylegan3.io.safetensors_files import save_network

PACKAGES = Path(__file__).parents[2] / "packages"
PLUGIN_PACKAGES = {path.name.replace("-", "_") for path in PACKAGES.iterdir() if path.name != "crowdgan-core"}

CLICK_MODULES = ("plugin.py", "hookspecs.py", "models/backend.py", "plugins/builtin.py")
"""Modules other than `cli/` that may import click, relative to their package; `backend.py` in crowdgan-stylegan3."""

LAZY_TARGET = re.compile(r"crowdgan_\w+(\.\w+)+:\w+")
"""Location of a lazy command, for example `crowdgan_core.cli.label:command`."""

COLUMNS = 80
"""Terminal width at which all lines of a command list must be complete."""


def imported_names(path: Path) -> set[str]:
    """Names of all imported modules and members: also in functions, under TYPE_CHECKING, and of lazy commands."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Constant) and LAZY_TARGET.fullmatch(str(node.value)):
            names.add(node.value.replace(":", "."))
    return names


def module_paths() -> list[Path]:
    return sorted(path for package in PACKAGES.glob("crowdgan-*") for path in (package / "src").rglob("*.py"))


def relative_path(path: Path) -> Path:
    """Path of a module relative to its package, for example `models/backend.py`."""
    return Path(*path.relative_to(PACKAGES).parts[3:])


def module_name(path: Path) -> str:
    parts = path.relative_to(PACKAGES).with_suffix("").parts[2:]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def import_graph() -> dict[str, set[str]]:
    """The modules that each module imports, by module name.

    A name imported from a package is a dependency on the submodule of that name, if there is one, otherwise on the
    package itself.
    """
    paths = {module_name(path): path for path in module_paths()}
    graph: dict[str, set[str]] = {}
    for module, path in paths.items():
        names = imported_names(path)
        imported = {name if name in paths else name.rpartition(".")[0] for name in names}
        graph[module] = (imported & paths.keys()) - {module}
    return graph


def import_cycles(graph: Mapping[str, set[str]]) -> list[list[str]]:
    """Strongly connected components with more than one module (Tarjan's algorithm)."""
    order: dict[str, int] = {}
    lowest: dict[str, int] = {}
    stack: list[str] = []
    cycles: list[list[str]] = []

    def visit(name: str) -> None:
        order[name] = lowest[name] = len(order)
        stack.append(name)
        for imported in sorted(graph[name]):
            if imported not in order:
                visit(imported)
                lowest[name] = min(lowest[name], lowest[imported])
            elif imported in stack:
                lowest[name] = min(lowest[name], order[imported])
        if lowest[name] == order[name]:
            start = stack.index(name)
            component = stack[start:]
            del stack[start:]
            if len(component) > 1:
                cycles.append(sorted(component))

    for name in sorted(graph):
        if name not in order:
            visit(name)
    return cycles


def test_the_cycle_search_detects_a_cycle() -> None:
    graph = {"a": {"b"}, "b": {"c"}, "c": {"b", "d"}, "d": set(), "e": {"a"}}
    assert import_cycles(graph) == [["b", "c"]]
    assert import_cycles({**graph, "d": {"a"}}) == [["a", "b", "c", "d"]]


def test_no_import_cycle_exists_in_a_package_or_between_packages() -> None:
    graph = import_graph()
    assert "crowdgan_core.plugins.discovery" in graph["crowdgan_core.cli"]
    assert "crowdgan_core.cli.convert" in graph["crowdgan_core.plugins.builtin"], "lazy commands count"
    assert "crowdgan_core.cli.density" in graph["crowdgan_core.plugins.builtin"], "imports in functions count"
    assert "crowdgan_core.datasets.protocols" in graph["crowdgan_core.hookspecs"], "imports for type checking count"
    assert import_cycles(graph) == []


@pytest.mark.parametrize("path", module_paths(), ids=lambda path: str(path.relative_to(PACKAGES)))
def test_packages_import_only_core_and_click_only_in_command_modules(path: Path) -> None:
    package = path.relative_to(PACKAGES).parts[2]
    imported = {name.split(".")[0] for name in imported_names(path)}
    assert not imported & (PLUGIN_PACKAGES - {package}), "packages interact through core's types and hooks"
    module = relative_path(path)
    may_import_click = (
        module.parts[0] == "cli"
        or module.as_posix() in CLICK_MODULES
        or (package == "crowdgan_stylegan3" and module.as_posix() == "backend.py")
    )
    assert may_import_click or "click" not in imported, "click is only for command modules"


HEAVY_LIBRARIES = {"torch", "scipy", "matplotlib", "h5py", "rich"}

LIGHT_COMMANDS = [
    "label --help",
    "density",
    "plugins",
    "generate --help",
    "sweep --help",
    "mix --help",
    "calibrate --help",
]
"""Commands that import none of them."""

COMMAND_LISTS = ["--help", "plot --help", "stylegan3 --help", "train --help"]
"""Commands that import not even numpy."""


@pytest.mark.parametrize(
    ("arguments", "libraries"),
    [
        *((arguments, HEAVY_LIBRARIES) for arguments in LIGHT_COMMANDS),
        *((arguments, HEAVY_LIBRARIES | {"numpy", "PIL"}) for arguments in COMMAND_LISTS),
    ],
)
def test_light_commands_import_no_heavy_library(arguments: str, libraries: set[str]) -> None:
    program = (
        f"import sys; sys.argv = ['crowdgan', *{arguments.split()!r}]\n"
        "from crowdgan_core.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        f"print(sorted({libraries!r} & set(sys.modules)), file=sys.stderr)"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stderr.strip() == "[]"


def test_generating_images_imports_neither_a_compiler_nor_filter_design(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    config = generator_config("stylegan3-t", resolution=16, channel_base=64, channel_max=4)
    save_network(random_generator(config), random_card(config, (), 0), path)
    program = (
        "import sys\n"
        "from crowdgan_core.api import generate_images, load_generator\n"
        "generate_images(load_generator(sys.argv[1]), [0])\n"
        "print({'torch._dynamo', 'scipy.signal', 'scipy.stats', 'sympy'} & set(sys.modules))"
    )
    run = subprocess.run([sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "set()"


def all_commands() -> Iterator[tuple[str, click.Command]]:
    """Every command and group below `crowdgan`, by its words."""

    def walk(words: list[str], command: click.Command) -> Iterator[tuple[str, click.Command]]:
        yield " ".join(words), command
        if isinstance(command, click.Group):
            for name, subcommand in command.commands.items():
                yield from walk([*words, name], subcommand)

    yield from walk([], build_tree(installed_plugins()))


@pytest.mark.parametrize("words", [words for words, _ in all_commands() if words])
def test_every_command_has_a_short_help(words: str) -> None:
    command = dict(all_commands())[words]
    assert command.short_help
    assert load_command(command).help
    assert not command.short_help.endswith(".")


@pytest.mark.parametrize("words", [words for words, item in all_commands() if isinstance(item, click.Group)])
def test_command_lists_show_complete_short_helps(words: str) -> None:
    arguments = [*words.split(), "--help"]
    result = CliRunner().invoke(
        build_tree(installed_plugins()), arguments, prog_name="crowdgan", terminal_width=COLUMNS
    )
    listed = result.output.partition("Commands:\n")[2].partition("\n\n")[0].splitlines()
    group = dict(all_commands())[words]
    assert isinstance(group, click.Group)
    assert [line.split(maxsplit=1) for line in listed] == [
        [name, command.short_help] for name, command in group.commands.items()
    ]
