"""Seeds, grids and labels from text."""

from __future__ import annotations

from dataclasses import replace

import pytest
from crowdgan_blobs.model import example_model
from hypothesis import given
from hypothesis import strategies as st

from crowdgan_core.errors import ConfigError
from crowdgan_core.models.card import ModelCard
from crowdgan_core.models.generation.conditioning import (
    Conditioning,
    LabelVector,
    describe_label,
    extrapolation_warning,
    label_vector,
)
from crowdgan_core.models.generation.parsing import (
    MAX_SEED,
    MAX_SEEDS,
    check_grid,
    parse_grid,
    parse_layers,
    parse_pair,
    parse_seeds,
)

NAMED = ModelCard(
    backend="x", resolution=(8, 8), label_dim=3, label_kind="class", classes=("sparse", "medium", "dense")
)
UNNAMED = ModelCard(backend="x", resolution=(8, 8), label_dim=10, label_kind="class")
SINGLE = ModelCard(backend="x", resolution=(8, 8), label_dim=1, label_kind="class", classes=("any",))
VALUE = ModelCard(backend="x", resolution=(8, 8), label_dim=1, label_kind="value", unit="persons/m²")
PAIR = ModelCard(backend="x", resolution=(8, 8), label_dim=2, label_kind="value")
UNLABELLED = ModelCard(backend="x", resolution=(8, 8))


@pytest.mark.parametrize(
    ("text", "seeds"),
    [
        ("3", (3,)),
        ("0-3", (0, 1, 2, 3)),
        ("1,5,9-12", (1, 5, 9, 10, 11, 12)),
        ("7, 2 - 3", (7, 2, 3)),
        ("5-5", (5,)),
        (f"{MAX_SEED}", (2**32 - 1,)),
    ],
)
def test_seeds_are_numbers_or_ranges_in_the_order_of_the_text(text: str, seeds: tuple[int, ...]) -> None:
    assert parse_seeds(text) == seeds


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "'' is not a seed; write for example 0-31 or 1,5,9-12"),
        ("1,,2", "'' is not a seed; write for example 0-31 or 1,5,9-12"),
        ("-1", "'-1' is not a seed; write for example 0-31 or 1,5,9-12"),
        ("1.5", "'1.5' is not a seed; write for example 0-31 or 1,5,9-12"),
        ("٣", "'٣' is not a seed; write for example 0-31 or 1,5,9-12"),
        ("5-2", "5-2 is a descending range; write 2-5"),
        ("4294967296", "4294967296 is too large; seeds must be from 0 to 4294967295"),
        ("0-1000000", "more than 1000000 seeds; split the run"),
        ("0-999999,1000000", "more than 1000000 seeds; split the run"),
        ("3,1-4", "3 is repeated; each seed gives one image"),
    ],
)
def test_invalid_seeds_are_an_error(text: str, problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_seeds(text)
    assert str(caught.value) == f"seeds {text!r}: {problem}"


def test_layers_are_numbers_or_ranges_in_the_order_of_the_text() -> None:
    assert parse_layers("0-6") == tuple(range(7))
    assert parse_layers("4, 0-2") == (4, 0, 1, 2)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "'' is not a layer; write for example 0-6 or 0,2,4-6"),
        ("coarse", "'coarse' is not a layer; write for example 0-6 or 0,2,4-6"),
        ("6-0", "6-0 is a descending range; write 0-6"),
        ("0-1000", "1000 is too large; layers must be from 0 to 999"),
        ("0-3,2", "2 is repeated; give each layer once"),
    ],
)
def test_invalid_layers_are_an_error(text: str, problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_layers(text)
    assert str(caught.value) == f"layers {text!r}: {problem}"


def test_a_million_seeds_are_allowed() -> None:
    assert len(parse_seeds(f"0-{MAX_SEEDS - 1}")) == MAX_SEEDS


@given(st.text(alphabet="0123456789,- x"))
def test_any_text_gives_valid_seeds_or_a_config_error(text: str) -> None:
    try:
        seeds = parse_seeds(text)
    except ConfigError:
        return
    assert 0 < len(seeds) == len(set(seeds))
    assert all(0 <= seed <= MAX_SEED for seed in seeds)


def test_grids_have_columns_and_rows() -> None:
    assert parse_grid("8x4") == (8, 4)
    for text in ("8", "8x", "0x4", "8X4", "8x4x2", "-8x4"):
        with pytest.raises(ConfigError, match="write columns and rows, for example 8x4"):
            parse_grid(text)


@pytest.mark.parametrize(
    ("grid", "count", "suggestions"),
    [
        ((7, 3), 32, "8x4, 4x8, 16x2, 2x16, 32x1, 1x32"),
        ((2, 2), 5, "5x1, 1x5"),
        ((3, 3), 4, "2x2, 4x1, 1x4"),
    ],
)
def test_the_error_for_a_wrong_grid_suggests_valid_grids(grid: tuple[int, int], count: int, suggestions: str) -> None:
    with pytest.raises(ConfigError) as caught:
        check_grid(grid, count)
    columns, rows = grid
    problem = f"grid {columns}x{rows} has {columns * rows} cells for {count} seeds"
    assert str(caught.value) == f"{problem}; choose for example {suggestions}"
    check_grid((8, 4), 32)


def test_pairs_are_two_finite_numbers() -> None:
    assert parse_pair("0.1,-0.25") == (0.1, -0.25)
    for text in ("0.1", "0.1,nan", "a,b", "1,2,3", ""):
        with pytest.raises(ConfigError, match=r"for example 0\.1,-0\.25"):
            parse_pair(text)


@pytest.mark.parametrize(
    ("card", "conditioning", "vector"),
    [
        (NAMED, Conditioning(density="medium"), (0, 1, 0)),
        (NAMED, Conditioning(label="2"), (0, 0, 1)),
        (NAMED, Conditioning(label="0.3,0.7,0"), (0.3, 0.7, 0)),
        (UNNAMED, Conditioning(label="9"), (0,) * 9 + (1,)),
        (SINGLE, Conditioning(label="0"), (1,)),
        (VALUE, Conditioning(density="1.5"), (1.5,)),
        (VALUE, Conditioning(label="1.5"), (1.5,)),
        (PAIR, Conditioning(label="1.5,2"), (1.5, 2)),
        (UNLABELLED, Conditioning(), None),
    ],
)
def test_a_label_is_a_name_an_index_or_a_value(
    card: ModelCard, conditioning: Conditioning, vector: LabelVector | None
) -> None:
    assert label_vector(card, conditioning) == vector


INVALID = "is not valid for this model"


@pytest.mark.parametrize(
    ("card", "fields", "problem"),
    [
        (NAMED, {}, "the model needs a label: choose from sparse, medium, dense, for example --density dense"),
        (UNNAMED, {}, "the model needs a label: choose a class from 0 to 9, for example --label 0"),
        (VALUE, {}, "the model needs a label: the density in persons/m², for example --density 1.5"),
        (PAIR, {}, "the model needs a label: 2 numbers, for example --label 1.5,1.5"),
        (
            NAMED,
            {"density": "denser"},
            "density 'denser': the model has no such class; choose from sparse, medium, dense, "
            "for example --density dense",
        ),
        (
            NAMED,
            {"label": "3"},
            f"label '3' {INVALID}: choose a class from 0 to 2, or 3 comma-separated numbers for a mixture",
        ),
        (
            NAMED,
            {"label": "0.5,0.5"},
            f"label '0.5,0.5' {INVALID}: choose a class from 0 to 2, or 3 comma-separated numbers for a mixture",
        ),
        (
            NAMED,
            {"label": "nan,0,1"},
            f"label 'nan,0,1' {INVALID}: choose a class from 0 to 2, or 3 comma-separated numbers for a mixture",
        ),
        (SINGLE, {"label": "1"}, f"label '1' {INVALID}: choose a class from 0 to 0"),
        (VALUE, {"density": "dense"}, f"label 'dense' {INVALID}: the density in persons/m², for example --d"),
        (VALUE, {"label": "inf"}, f"label 'inf' {INVALID}: the density in persons/m², for example --density"),
        (VALUE, {"label": "1,2"}, f"label '1,2' {INVALID}: the density in persons/m², for example --density"),
        (UNLABELLED, {"label": "0"}, "the model has no labels; remove the density or label"),
        (UNLABELLED, {"density": "dense"}, "the model has no labels; remove the density or label"),
    ],
)
def test_the_error_for_an_invalid_label_lists_valid_labels(
    card: ModelCard, fields: dict[str, str], problem: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        label_vector(card, Conditioning(**fields))
    assert str(caught.value).startswith(problem)


def test_density_and_label_together_are_an_error() -> None:
    with pytest.raises(ConfigError, match="give only one"):
        Conditioning(density="dense", label="2")


@pytest.mark.parametrize(
    ("card", "vector", "text"),
    [
        (NAMED, (0, 0, 1), "dense"),
        (NAMED, (0.3, 0.7, 0), "0.3 sparse + 0.7 medium"),
        (NAMED, (0, 0, 2), "2 dense"),
        (NAMED, (0, 0, 0), "no class"),
        (SINGLE, (1,), "any"),
        (VALUE, (1.5,), "1.5 persons/m²"),
        (PAIR, (1, 2.25), "1, 2.25"),
    ],
)
def test_a_label_is_described(card: ModelCard, vector: LabelVector, text: str) -> None:
    assert describe_label(card, vector) == text


def test_a_density_outside_the_training_data_is_a_warning() -> None:
    card = replace(example_model("value").card, label_range=(0.1, 4.0))
    assert extrapolation_warning(card, (0.1,)) is extrapolation_warning(card, (4.0,)) is None
    assert extrapolation_warning(card, (9.0,)) == (
        "the density 9 persons/m² is outside the training data, 0.1 to 4; the images may have another density"
    )
    assert extrapolation_warning(example_model("value").card, (9.0,)) is None
    assert extrapolation_warning(example_model(None).card, None) is None
