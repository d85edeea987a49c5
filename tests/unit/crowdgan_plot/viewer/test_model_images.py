"""States of the model page, their images, records and equivalent commands."""

from __future__ import annotations

import shlex
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from starlette.datastructures import QueryParams

from crowdgan_core.errors import ConfigError
from crowdgan_core.models.card import ModelCard
from crowdgan_core.models.generation.png_metadata import read_png_metadata
from crowdgan_plot.viewer.model.density_controls import density_controls, source_density, strip_densities
from crowdgan_plot.viewer.model.image_state import ImageState
from crowdgan_plot.viewer.model.images import ModelImages, image_cache
from crowdgan_plot.viewer.query import Query
from tests.support.linear_generator import LinearGenerator

DENSE = (0.0, 0.0, 1.0)


def model(label_kind: Any = "class") -> ModelImages:
    return ModelImages(LinearGenerator(label_kind), "models/m.safetensors")


def parse(query: str, images: ModelImages | None = None) -> ImageState:
    return (images or model()).parse(Query(QueryParams(query)))


def command(query: str, label_kind: Any = "class") -> str:
    images = model(label_kind)
    return str(images.details(parse(query, images))["command"])


def test_the_image_of_a_state_is_that_of_generate() -> None:
    images, generator = model(), LinearGenerator()
    state = parse("seed=5&density=2&trunc=0.5&cutoff=2")
    expected = generator.generate([5], np.array([DENSE], np.float32), truncation_psi=0.5, truncation_cutoff=2)[0]
    assert np.array_equal(images.image(state), expected)


def test_classes_are_interpolated() -> None:
    assert parse("density=0.25").label == (0.75, 0.25, 0.0)
    assert parse("density=1").label == (0.0, 1.0, 0.0)
    assert parse("").label == (1.0, 0.0, 0.0)
    assert parse("density=1.5", model("value")).label == (1.5,)
    assert parse("", model(None)).label is None


def test_a_walk_interpolates_the_latents_of_two_seeds() -> None:
    images, generator = model(), LinearGenerator()
    labels = np.array([DENSE, DENSE], np.float32)
    first, last = generator.map_seeds([1, 2], labels, truncation_psi=0.7)
    state = parse("seed=1&walk_seed=2&walk=0.25&density=2&trunc=0.7")
    np.testing.assert_allclose(images.latents(state)[0], 0.75 * first + 0.25 * last, atol=1e-6)
    for position, seed in (("0", 1), ("1", 2)):
        image = images.image(parse(f"seed=1&walk_seed=2&walk={position}&density=2&trunc=0.7"))
        assert np.array_equal(image, generator.generate([seed], labels[:1], truncation_psi=0.7)[0])


def test_style_mixing_takes_layers_from_the_other_seed() -> None:
    images, generator = model(), LinearGenerator()
    first, last = generator.map_seeds([1, 2], np.array([DENSE, DENSE], np.float32))
    first[[0, 3]] = last[[0, 3]]
    assert np.array_equal(images.latents(parse("seed=1&mix_seed=2&mix_layers=0,3&density=2"))[0], first)
    assert parse("seed=1&mix_seed=2").mix is None, "without layers nothing is mixed"


def test_commands_name_what_differs_from_the_defaults() -> None:
    generate = "crowdgan generate --network models/m.safetensors"
    assert command("seed=3&density=2") == f"{generate} --seeds 3 --density dense --outdir out"
    assert command("density=0.25") == f"{generate} --seeds 0 --label 0.75,0.25,0 --outdir out"
    assert command("density=1.5&trunc=0.7", "value") == f"{generate} --seeds 0 --density 1.5 --trunc 0.7 --outdir out"
    assert command("noise=none&x=-0.25&rotate=15&cutoff=3&mean=all", None) == (
        f"{generate} --seeds 0 --truncation-cutoff 3 --truncation-mean all --translate=-0.25,0 --rotate=15 "
        "--noise-mode none --outdir out"
    )
    assert command("seed=1&mix_seed=2&mix_layers=0-1&density=2") == (
        "crowdgan mix --network models/m.safetensors --rows 1 --cols 2 --styles 0,1 --density dense --outdir out"
    )
    assert command("seed=1&walk_seed=2&walk=0.5&x=0.1") == (
        f"{generate} --latent walk-0001-0002-0.50.npz --translate=0.1,0 --outdir out"
    )


def test_records_have_the_keys_of_the_commands() -> None:
    images = model()
    record = images.record(parse("seed=3&density=2&trunc=0.7"))
    assert {"seed": 3, "label": [0, 0, 1], "density": "dense", "truncation_psi": 0.7}.items() <= record.items()
    assert (record["model"], record["backend"]) == ("m.safetensors", "linear")
    mixed = images.record(parse("seed=1&mix_seed=2&mix_layers=0-1&walk_seed=4&walk=0.5"))
    assert {"row": 1, "col": 2, "styles": [0, 1], "walk_seed": 4, "walk": 0.5}.items() <= mixed.items()


def test_a_density_outside_the_training_data_is_a_warning() -> None:
    images = model("value")
    assert "outside the training data" in images.details(parse("density=9", images))["warning"]
    assert images.details(parse("density=1", images))["warning"] is None
    assert images.details(parse("density=1", images))["requested"] == "1 persons/m²"


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ("seed=-1", "seed is '-1'"),
        ("seed=4294967296", "seed is"),
        ("density=3", "density is '3'"),
        ("density=nan", "density is 'nan'"),
        ("trunc=inf", "trunc is 'inf'"),
        ("noise=other", "noise is 'other'; choose from const, random, none"),
        ("mix_seed=1&mix_layers=a", "'a' is not a layer"),
        ("walk_seed=1&noise=none", "constant noise"),
        ("other=1", "unknown parameter"),
    ],
)
def test_invalid_states_are_errors(query: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        parse(query)


@pytest.mark.parametrize("query", ["x=0.1", "noise=none", "cutoff=5", "mix_seed=1&mix_layers=4"])
def test_states_that_the_model_does_not_support_are_errors(query: str) -> None:
    images = model()
    with pytest.raises(ConfigError):
        images.image(parse(query, images))


def test_controls_are_those_that_the_model_supports() -> None:
    assert model().controls == {"transform": False, "num_layers": 4, "noise": False, "mean": True}
    assert not model(None).controls["mean"]


def test_the_cache_holds_the_images_that_were_used_last() -> None:
    computed: list[int] = []

    def compute(key: int) -> np.ndarray:
        computed.append(key)
        return np.full((1, 1, 3), key, np.uint8)

    cached_image = image_cache(compute, image_bytes=2**40)
    for key in [*range(8), 0, 8, 0, 1]:
        assert cached_image(key)[0, 0, 0] == key
    assert computed == [*range(9), 1], "0 was used after 1, so 1 was dropped for 8"


def card(**values: Any) -> ModelCard:
    return ModelCard(backend="linear", resolution=(8, 8), **values)


def test_the_density_slider_has_the_range_of_the_training_data() -> None:
    value = card(label_kind="value", label_dim=1, unit="persons/m²", label_range=(0.1, 4.0))
    assert density_controls(value) == {
        "kind": "value",
        "low": 0.1,
        "high": 4.0,
        "logarithmic": True,
        "unit": "persons/m²",
    }
    strip = strip_densities(value)
    assert [tile["density"] for tile in strip][:: len(strip) - 1] == [0.1, 4.0]
    unknown = density_controls(replace(value, label_range=None))
    assert unknown is not None
    assert (unknown["low"], unknown["high"], unknown["logarithmic"]) == (0, 5, False)
    assert _range_of(replace(value, label_range=(12.0, 12.0))) == (6, 24)
    assert _range_of(replace(value, label_range=(-2.0, 3.0))) == (-2, 3)
    assert density_controls(card()) is density_controls(card(label_kind="class", label_dim=1)) is None
    vector = card(label_kind="value", label_dim=2)
    assert (density_controls(vector) or {})["kind"] == "vector"
    assert strip_densities(vector) == strip_densities(card()) == []


def _range_of(model_card: ModelCard) -> tuple[float, float]:
    controls = density_controls(model_card) or {}
    return controls["low"], controls["high"]


def test_densities_of_any_label_range_are_accepted() -> None:
    generator = LinearGenerator("value")
    generator.card = replace(generator.card, label_range=(-2.0, 3.0))
    assert parse("density=-1.5", ModelImages(generator, "m")).label == (-1.5,)
    assert parse("density=5000000", ModelImages(generator, "m")).label == (5e6,)


def test_mixing_does_not_change_arrays_of_the_backend() -> None:
    class Cached(LinearGenerator):
        def map_seeds(self, *arguments: Any, **options: Any) -> Any:
            latents = super().map_seeds(*arguments, **options)
            latents.flags.writeable = False
            return latents

    images = ModelImages(Cached(), "m")
    assert images.image(parse("mix_seed=2&mix_layers=0", images)).shape == (16, 16, 3)


def test_the_strip_of_classes_has_mixtures_between_them() -> None:
    classes = card(label_kind="class", label_dim=3, classes=("sparse", "medium", "dense"))
    strip = strip_densities(classes)
    assert [tile["density"] for tile in strip] == [0, 0.5, 1, 1.5, 2]
    assert [tile["caption"] for tile in strip][:2] == ["sparse", "50% sparse + 50% medium"]
    assert strip_densities(card(label_kind="class", label_dim=1)) == []
    many = [tile["density"] for tile in strip_densities(card(label_kind="class", label_dim=20))]
    assert (len(many), many[0], many[-1]) == (9, 0, 19)
    assert all((2 * density).is_integer() for density in many), "classes and their middles"


def test_labels_have_a_position_on_the_slider() -> None:
    classes = card(label_kind="class", label_dim=3)
    assert source_density(classes, (0.0, 0.5, 0.5)) == 1.5
    assert source_density(classes, (0.5, 0.0, 0.5)) is None
    assert source_density(card(label_kind="value", label_dim=1), (1.5,)) == 1.5


def test_the_equivalent_command_writes_the_same_image(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from crowdgan_core.cli.app import build_tree
    from tests.support.blob_plugins import installed_blobs

    monkeypatch.chdir(tmp_path)
    with installed_blobs() as plugins:
        from crowdgan_core.api import load_generator

        images = ModelImages(load_generator("blobs32"), "blobs32")
        density = density_controls(images.card)
        assert density is not None
        state = parse(f"seed=7&density={density['high']}&trunc=0.6&x=0.125&rotate=-20", images)
        words = shlex.split(images.details(state)["command"])
        assert CliRunner().invoke(build_tree(plugins), words[1:], catch_exceptions=False).exit_code == 0
        from PIL import Image

        path = tmp_path / "out" / images.file_name(state)
        assert np.array_equal(np.asarray(Image.open(path)), images.image(state))
        assert read_png_metadata(path) == images.record(state)
