"""What the images of densities hold."""

from __future__ import annotations

import dataclasses
import io
import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PathCollection, PolyCollection, QuadMesh
from matplotlib.figure import Figure
from PIL import Image

from crowdgan_core.density.estimator import DensityEstimate, DensityEstimator
from crowdgan_core.density.layers import HeatmapLayer, Layer, LineLayer, PointLayer, PolygonLayer
from crowdgan_core.errors import ConfigError, DensityError
from crowdgan_core.io.stored_images import EncodedImage
from crowdgan_core.scenes.scene import Scene
from crowdgan_core.sources.base import AnnotatedImage
from crowdgan_core.testing import example_scene
from crowdgan_plot.density.batch import chosen_items, figure_paths
from crowdgan_plot.density.estimate_figure import ExplainedImage, density_figure, explain_image, format_estimate, number
from crowdgan_plot.density.layer_drawing import colour_scales, draw_layers
from crowdgan_plot.density.overlay_plotter import OverlayPlotter
from crowdgan_plot.style import plot_style

TRIANGLE = np.array([[100.0, 100], [300, 100], [200, 300]])

COUNTS = HeatmapLayer(
    label="cells", unit="persons", values=np.array([[1.0, np.nan], [3, 2]]), extent=(0, 0, 640, 480), is_discrete=True
)
SMOOTH = HeatmapLayer(label="map", unit="persons/m²", values=np.arange(12.0).reshape(3, 4), extent=(0, 0, 640, 480))
AREAS = PolygonLayer(
    label="areas", unit="persons/m²", polygons=[TRIANGLE, TRIANGLE + 50], values=np.array([0.5, 2.0]), space="image"
)
OUTLINE = PolygonLayer(label="outline", polygons=[TRIANGLE], space="ground")
PLACES = PointLayer(label="felt", unit="persons/m²", points=TRIANGLE, values=np.array([1.0, 2, 3]))
DOTS = PointLayer(label="people", points=TRIANGLE / 20, space="ground")
LINKS = LineLayer(label="links", lines=[TRIANGLE[:2], TRIANGLE[1:]])


@dataclasses.dataclass(frozen=True, kw_only=True)
class Offering(DensityEstimator):
    """Persons, and the layers that the test wants."""

    name: ClassVar[str] = "offering"
    unit: ClassVar[str] = "persons"
    classes: ClassVar[tuple[str, ...]] = ("few", "many")

    layers: tuple[Layer, ...] = ()

    def estimate(self, scene: Scene) -> DensityEstimate:
        """The count, a failure for nobody, and no answer for one."""
        if not len(scene):
            raise DensityError("nobody is there")
        if len(scene) == 1:
            return DensityEstimate.unknown(self.unit, "one is no crowd")
        return DensityEstimate(
            value=len(scene), unit=self.unit, class_index=int(len(scene) > 10), interval=(1.0, 2000.0)
        )

    def explain(self, scene: Scene) -> Sequence[Layer]:
        """The layers."""
        return self.layers


def image(scene: Scene) -> np.ndarray:
    ramp = np.linspace(0, 255, scene.size[1]).astype(np.uint8)
    return np.tile(ramp[None, :, None], (scene.size[0], 1, 3))


def drawn(scene: Scene, *layers: Layer) -> tuple[Figure, ExplainedImage]:
    with plot_style():
        found = explain_image(image(scene), scene, Offering(layers=layers))
        return density_figure(found), found


def labels(axes: Axes) -> list[str]:
    legend = axes.get_legend()
    return [] if legend is None else [text.get_text() for text in legend.get_texts()]


def of_kind(axes: Axes, kind: type[Any]) -> list[Any]:
    return [item for item in axes.collections if type(item) is kind]


def test_the_photograph_has_a_box_per_person_and_its_ignore_regions_hatched() -> None:
    scene = dataclasses.replace(example_scene(12), ignore=np.arange(12) < 2)
    figure, _ = drawn(scene)
    [axes] = figure.axes
    boxes, ignored = of_kind(axes, PolyCollection)
    assert len(boxes.get_paths()) == 10
    assert len(ignored.get_paths()) == 2
    assert ignored.get_hatch() == "///"
    assert labels(axes) == ["10 boxes", "2 ignore regions"]
    x, y, w, h = scene.full_boxes[2]
    assert boxes.get_paths()[0].get_extents().bounds == pytest.approx((x, y, w, h))
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("x (px)", "y (px)")
    assert (axes.get_xlim(), axes.get_ylim()) == ((0, 640), (480, 0))


def test_heads_without_bodies_are_points() -> None:
    heads = example_scene(30).head_boxes
    figure, _ = drawn(Scene(source_name="heads", size=(480, 640), head_boxes=heads))
    [points] = of_kind(figure.axes[0], PathCollection)
    assert points.get_offsets().tolist() == (heads[:, :2] + heads[:, 2:] / 2).tolist()
    assert labels(figure.axes[0]) == ["30 heads"]


def test_the_title_says_image_value_interval_and_class() -> None:
    figure, _ = drawn(example_scene(12))
    assert figure.get_suptitle() == "example-12\noffering: 12 persons (1 to 2,000), class many"


def test_what_cannot_be_told_is_said_with_its_reason() -> None:
    assert "cannot tell: one is no crowd" in drawn(example_scene(1))[1].title
    figure, found = drawn(example_scene(0), COUNTS)
    assert "cannot tell: nobody is there" in found.title
    assert len(figure.axes) == 1


@pytest.mark.parametrize(
    ("value", "text"), [(0.0123456, "0.0123"), (2.0, "2"), (999.4, "999"), (1234.5, "1,234"), (0.0, "0")]
)
def test_numbers_have_three_digits_that_count_or_all(value: float, text: str) -> None:
    assert number(value) == text
    assert format_estimate(DensityEstimate(value=value, unit="m", class_index=0), ["A"]) == f"{text} m, class A"


def test_layers_over_the_image_and_on_the_ground_have_panels_and_a_colour_bar() -> None:
    figure, _ = drawn(example_scene(12), AREAS, LINKS, OUTLINE, DOTS)
    photograph, over, ground, bar = figure.axes
    assert labels(over) == ["links"]
    assert labels(ground) == ["outline", "people"]
    assert (ground.get_xlabel(), ground.get_ylabel()) == (
        "metres to the right of the camera",
        "metres ahead of the camera",
    )
    assert bar.get_xlabel() == "areas (persons/m²)"
    [filled] = of_kind(over, PolyCollection)
    assert filled.get_array().tolist() == [0.5, 2.0]
    assert len(photograph.images) == len(over.images) == 1
    assert over.images[0].get_array().mean() > photograph.images[0].get_array().mean()


def test_the_ground_alone_needs_no_panel_over_the_image() -> None:
    figure, _ = drawn(example_scene(12), DOTS)
    assert [axes.get_xlabel() for axes in figure.axes] == ["x (px)", "metres to the right of the camera"]


def test_cells_are_drawn_one_by_one_with_their_values(figure: Figure) -> None:
    axes = figure.subplots()
    draw_layers(axes, [COUNTS], colour_scales([COUNTS]))
    [mesh] = of_kind(axes, QuadMesh)
    assert np.ma.filled(mesh.get_array(), -1).tolist() == [[1, -1], [3, 2]]
    assert mesh.get_datalim(axes.transData).bounds == (0, 0, 640, 480)
    assert (mesh.norm.vmin, mesh.norm.vmax) == (0, 3)


def test_a_smooth_map_is_clear_where_there_is_little(figure: Figure) -> None:
    axes = figure.subplots()
    draw_layers(axes, [SMOOTH], colour_scales([SMOOTH]))
    [image] = axes.images
    assert image.get_array().sum() == SMOOTH.values.sum()
    assert image.get_extent() == [0, 640, 480, 0]
    alpha = image.get_alpha()
    assert alpha[0, 0] == 0
    assert (np.diff(alpha.ravel()) >= 0).all()


def test_values_of_one_unit_share_their_colours_and_others_have_their_own() -> None:
    known = colour_scales([SMOOTH, PLACES, AREAS, COUNTS])
    assert [(scale.text, scale.colour_map) for scale in known.values()] == [
        ("map, felt, areas (persons/m²)", "viridis"),
        ("cells (persons)", "cividis"),
    ]
    assert known["persons/m²"].norm.vmax == 11


@pytest.mark.parametrize(
    ("values", "limits", "is_cut"),
    [
        ([[0.5, 0.5]], (0, 0.75), False),
        ([[0.0, 0.0]], (0, 1), False),
        ([[-2.0, 4.0]], (-2, 4), False),
        ([[*[1.0] * 99, 50.0]], (0, 1), True),
    ],
    ids=["one value", "zeros", "negative", "one peak"],
)
def test_colours_span_the_values_from_0(values: list[list[float]], limits: tuple[float, float], is_cut: bool) -> None:
    layer = HeatmapLayer(label="map", unit="m", values=np.array(values), extent=(0, 0, 1, 1))
    scale = colour_scales([layer])["m"]
    assert (scale.norm.vmin, scale.norm.vmax, scale.is_cut) == (*limits, is_cut)
    cells = dataclasses.replace(layer, is_discrete=True)
    assert not colour_scales([cells])["m"].is_cut


def test_layers_without_any_value_need_no_colours(figure: Figure) -> None:
    nothing = HeatmapLayer(label="map", unit="m", values=np.full((2, 2), np.nan), extent=(0, 0, 1, 1))
    empty = PolygonLayer(label="none", unit="m", polygons=[], values=np.empty(0))
    assert colour_scales([nothing, empty, LINKS]) == {}
    axes = figure.subplots()
    entries = draw_layers(axes, [nothing, empty, LINKS], {})
    assert [entry.get_label() for entry in entries] == ["none", "links"]
    [lines] = of_kind(axes, LineCollection)
    assert len(lines.get_segments()) == 2


def test_the_plotter_of_label_draws_a_png_and_reaches_workers() -> None:
    scene = example_scene(12)
    plotter = pickle.loads(pickle.dumps(OverlayPlotter()))
    estimator = Offering(layers=(COUNTS,))
    data = plotter.draw(image(scene), scene, estimator, estimator.estimate(scene))
    with Image.open(io.BytesIO(data)) as overlay:
        assert overlay.format == "PNG"
        assert overlay.width > 1000


ITEMS = [
    AnnotatedImage(source_name=name, image=EncodedImage(b"", name))
    for name in ("273,ab", "273,cd", "a/b.jpg", "a/c.jpg", "x.y")
]


@pytest.mark.parametrize(
    ("ids", "found"),
    [
        (["273,ab"], ["273,ab"]),
        (["a/c", "273,c"], ["a/c.jpg", "273,cd"]),
        (["b"], ["a/b.jpg"]),
        (["x"], ["x.y"]),
    ],
)
def test_images_are_chosen_by_name_or_its_beginning(ids: list[str], found: list[str]) -> None:
    assert [item.source_name for item in chosen_items(ITEMS, ids, 1)] == found


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("273", "--ids 273: 2 images begin so; there are 273,ab, 273,cd, …"),
        ("zz", "--ids zz: none of the 5 images has that name; there are 273,ab, 273,cd, a/b.jpg, …"),
    ],
)
def test_a_name_of_none_or_several_is_an_error(name: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        chosen_items(ITEMS, [name], 1)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("sample", "found"), [(1, [0]), (2, [0, 4]), (3, [0, 2, 4]), (5, [0, 1, 2, 3, 4]), (9, [0, 1, 2, 3, 4])]
)
def test_a_sample_is_spread_over_the_source(sample: int, found: list[int]) -> None:
    assert chosen_items(ITEMS, [], sample) == [ITEMS[index] for index in found]
    assert chosen_items([], [], sample) == []


def test_figures_have_names_that_any_system_takes_and_that_differ() -> None:
    names = ["a/b.jpg", "a b.PNG", "273,ab", "x.y", "a_b", "ü:*?.webp", "../up"]
    found = figure_paths(names, Path("out"), "svg")
    assert [path.as_posix() for path in found] == [
        "out/a_b.svg",
        "out/a_b-2.svg",
        "out/273,ab.svg",
        "out/x.y.svg",
        "out/a_b-3.svg",
        "out/ü_.svg",
        "out/.._up.svg",
    ]


def test_the_figure_looks_as_it_did(looks_like: Any) -> None:
    scene, layers = example_scene(12), (SMOOTH, PLACES, LINKS, OUTLINE, DOTS)
    with plot_style():
        looks_like(density_figure(explain_image(image(scene), scene, Offering(layers=layers))), "density")
