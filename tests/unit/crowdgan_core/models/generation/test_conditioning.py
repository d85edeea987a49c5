"""What a user asks of a model: seeds, grids and labels, from texts to numbers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crowdgan_core.errors import ConfigError
from crowdgan_core.models.card import ModelCard
from crowdgan_core.models.generation.conditioning import Conditioning, LabelVector, describe_label, label_vector
from crowdgan_core.models.generation.parsing import MAX_SEED, MAX_SEEDS, check_grid, parse_grid, parse_pair, parse_seeds

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
def test_seeds_are_single_or_ranges_in_their_order(text: str, seeds: tuple[int, ...]) -> None:
    assert parse_seeds(text) == seeds


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "'' is no seed; write them as in 0-31 or 1,5,9-12"),
        ("1,,2", "'' is no seed; write them as in 0-31 or 1,5,9-12"),
        ("-1", "'-1' is no seed; write them as in 0-31 or 1,5,9-12"),
        ("1.5", "'1.5' is no seed; write them as in 0-31 or 1,5,9-12"),
        ("٣", "'٣' is no seed; write them as in 0-31 or 1,5,9-12"),
        ("5-2", "5-2 runs backwards; write 2-5"),
        ("4294967296", "4294967296 is too large; seeds go from 0 to 4294967295"),
        ("0-1000000", "more than 1000000 of them; split the run"),
        ("0-999999,1000000", "more than 1000000 of them; split the run"),
        ("3,1-4", "3 is named twice; it gives the same image"),
    ],
)
def test_wrong_seeds_are_refused_by_what_is_wrong(text: str, problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_seeds(text)
    assert str(caught.value) == f"seeds {text!r}: {problem}"


def test_a_million_seeds_are_taken() -> None:
    assert len(parse_seeds(f"0-{MAX_SEEDS - 1}")) == MAX_SEEDS


@given(st.text(alphabet="0123456789,- x"))
def test_any_text_gives_seeds_within_bounds_or_one_kind_of_error(text: str) -> None:
    try:
        seeds = parse_seeds(text)
    except ConfigError:
        return
    assert 0 < len(seeds) == len(set(seeds))
    assert all(0 <= seed <= MAX_SEED for seed in seeds)


def test_grids_have_columns_and_rows() -> None:
    assert parse_grid("8x4") == (8, 4)
    for text in ("8", "8x", "0x4", "8X4", "8x4x2", "-8x4"):
        with pytest.raises(ConfigError, match="write columns and rows as in 8x4"):
            parse_grid(text)


@pytest.mark.parametrize(
    ("grid", "count", "fitting"),
    [
        ((7, 3), 32, "8x4, 4x8, 16x2, 2x16, 32x1, 1x32 would fit"),
        ((2, 2), 5, "5x1, 1x5 would fit"),
        ((3, 3), 4, "2x2, 4x1, 1x4 would fit"),
    ],
)
def test_a_grid_that_does_not_fit_names_those_that_do(grid: tuple[int, int], count: int, fitting: str) -> None:
    with pytest.raises(ConfigError) as caught:
        check_grid(grid, count)
    columns, rows = grid
    found = f"it holds {columns * rows} images, and there are {count} seeds"
    assert str(caught.value) == f"grid {columns}x{rows}: {found}; {fitting}"
    check_grid((8, 4), 32)


def test_pairs_are_two_finite_numbers() -> None:
    assert parse_pair("0.1,-0.25") == (0.1, -0.25)
    for text in ("0.1", "0.1,nan", "a,b", "1,2,3", ""):
        with pytest.raises(ConfigError, match=r"as in 0\.1,-0\.25"):
            parse_pair(text)


@pytest.mark.parametrize(
    ("card", "request_", "vector"),
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
def test_a_label_is_asked_for_by_name_number_or_value(
    card: ModelCard, request_: Conditioning, vector: LabelVector | None
) -> None:
    assert label_vector(card, request_) == vector


NO_SUCH = "the model takes no such label"


@pytest.mark.parametrize(
    ("card", "request_", "problem"),
    [
        (NAMED, {}, "the model needs a label: there are sparse, medium, dense, for example --density dense"),
        (UNNAMED, {}, "the model needs a label: its classes have no names, for example --label 0; there are 0 to 9"),
        (VALUE, {}, "the model needs a label: it is the density in persons/m², for example --density 1.5"),
        (PAIR, {}, "the model needs a label: it is 2 numbers, for example --label 1.5,1.5"),
        (
            NAMED,
            {"density": "denser"},
            "density 'denser': the model has no such class; there are sparse, medium, dense, "
            "for example --density dense",
        ),
        (
            NAMED,
            {"label": "3"},
            f"label '3': {NO_SUCH}; it has the classes 0 to 2, or 3 numbers with commas for a mixture",
        ),
        (
            NAMED,
            {"label": "0.5,0.5"},
            f"label '0.5,0.5': {NO_SUCH}; it has the classes 0 to 2, or 3 numbers with commas for a mixture",
        ),
        (
            NAMED,
            {"label": "nan,0,1"},
            f"label 'nan,0,1': {NO_SUCH}; it has the classes 0 to 2, or 3 numbers with commas for a mixture",
        ),
        (SINGLE, {"label": "1"}, f"label '1': {NO_SUCH}; it has the classes 0 to 0"),
        (VALUE, {"density": "dense"}, f"label 'dense': {NO_SUCH}; it is the density in persons/m², for example --d"),
        (VALUE, {"label": "inf"}, f"label 'inf': {NO_SUCH}; it is the density in persons/m², for example --density"),
        (VALUE, {"label": "1,2"}, f"label '1,2': {NO_SUCH}; it is the density in persons/m², for example --density"),
        (UNLABELLED, {"label": "0"}, "the model has no labels; leave out the density and the label"),
        (UNLABELLED, {"density": "dense"}, "the model has no labels; leave out the density and the label"),
    ],
)
def test_a_label_that_the_model_lacks_is_refused_with_what_it_has(
    card: ModelCard, request_: dict[str, str], problem: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        label_vector(card, Conditioning(**request_))
    assert str(caught.value).startswith(problem)


def test_a_density_and_a_label_together_are_refused() -> None:
    with pytest.raises(ConfigError, match="give one of them"):
        Conditioning(density="dense", label="2")


@pytest.mark.parametrize(
    ("card", "vector", "words"),
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
def test_labels_are_put_in_words(card: ModelCard, vector: LabelVector, words: str) -> None:
    assert describe_label(card, vector) == words
