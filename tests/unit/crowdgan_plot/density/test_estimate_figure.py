"""Figures of density estimates."""

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
from crowdgan_plot.density.batch import figure_paths, select_images
from crowdgan_plot.density.estimate_figure import (
    ExplainedImage,
    draw_explained_image,
    explain_image,
    format_estimate,
    format_value,
    plot_estimate,
)
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
LOCAL_DENSITIES = PointLayer(label="local density", unit="persons/m²", points=TRIANGLE, values=np.array([1.0, 2, 3]))
DOTS = PointLayer(label="people", points=TRIANGLE / 20, space="ground")
LINKS = LineLayer(label="links", lines=[TRIANGLE[:2], TRIANGLE[1:]])


@dataclasses.dataclass(frozen=True, kw_only=True)
class LayerEstimator(DensityEstimator):
    """Number of persons, and given layers."""

    name: ClassVar[str] = "layers"
    unit: ClassVar[str] = "persons"
    classes: ClassVar[tuple[str, ...]] = ("few", "many")

    layers: tuple[Layer, ...] = ()

    def estimate(self, scene: Scene) -> DensityEstimate:
        """The count; an error for no persons, and unknown for one."""
        if not len(scene):
            raise DensityError("no persons")
        if len(scene) == 1:
            return DensityEstimate.unknown(self.unit, "fewer than 2 persons")
        return DensityEstimate(
            value=len(scene), unit=self.unit, class_index=int(len(scene) > 10), interval=(1.0, 2000.0)
        )

    def explain(self, scene: Scene) -> Sequence[Layer]:
        """The layers."""
        return self.layers


def ramp_image(scene: Scene) -> np.ndarray:
    ramp = np.linspace(0, 255, scene.size[1]).astype(np.uint8)
    return np.tile(ramp[None, :, None], (scene.size[0], 1, 3))


def draw(scene: Scene, *layers: Layer) -> tuple[Figure, ExplainedImage]:
    with plot_style():
        explained = explain_image(ramp_image(scene), scene, LayerEstimator(layers=layers))
        return draw_explained_image(explained), explained


def legend_labels(axes: Axes) -> list[str]:
    legend = axes.get_legend()
    return [] if legend is None else [text.get_text() for text in legend.get_texts()]


def find_collections(axes: Axes, collection_type: type[Any]) -> list[Any]:
    return [item for item in axes.collections if type(item) is collection_type]


def test_the_image_has_a_box_per_person_and_hatched_ignore_regions() -> None:
    scene = dataclasses.replace(example_scene(12), ignore=np.arange(12) < 2)
    figure, _ = draw(scene)
    [axes] = figure.axes
    boxes, ignored = find_collections(axes, PolyCollection)
    assert len(boxes.get_paths()) == 10
    assert len(ignored.get_paths()) == 2
    assert ignored.get_hatch() == "///"
    assert legend_labels(axes) == ["10 boxes", "2 ignore regions"]
    x, y, w, h = scene.full_boxes[2]
    assert boxes.get_paths()[0].get_extents().bounds == pytest.approx((x, y, w, h))
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("x (px)", "y (px)")
    assert (axes.get_xlim(), axes.get_ylim()) == ((0, 640), (480, 0))


def test_heads_without_boxes_are_points() -> None:
    heads = example_scene(30).head_boxes
    figure, _ = draw(Scene(source_name="heads", size=(480, 640), head_boxes=heads))
    [points] = find_collections(figure.axes[0], PathCollection)
    assert points.get_offsets().tolist() == (heads[:, :2] + heads[:, 2:] / 2).tolist()
    assert legend_labels(figure.axes[0]) == ["30 heads"]


def test_the_title_contains_image_value_interval_and_class() -> None:
    figure, _ = draw(example_scene(12))
    assert figure.get_suptitle() == "example-12\nlayers: 12 persons (1 to 2,000), class many"


def test_an_unknown_estimate_has_its_reason_in_the_title() -> None:
    assert "cannot be estimated: fewer than 2 persons" in draw(example_scene(1))[1].title
    figure, explained = draw(example_scene(0), COUNTS)
    assert "cannot be estimated: no persons" in explained.title
    assert len(figure.axes) == 1


@pytest.mark.parametrize(
    ("value", "text"), [(0.0123456, "0.0123"), (2.0, "2"), (999.4, "999"), (1234.5, "1,234"), (0.0, "0")]
)
def test_values_have_three_significant_digits_or_no_decimals(value: float, text: str) -> None:
    assert format_value(value) == text
    assert format_estimate(DensityEstimate(value=value, unit="m", class_index=0), ["A"]) == f"{text} m, class A"


def test_layers_over_the_image_and_on_the_ground_have_panels_and_a_colour_bar() -> None:
    figure, _ = draw(example_scene(12), AREAS, LINKS, OUTLINE, DOTS)
    people, overlay, ground, bar = figure.axes
    assert legend_labels(overlay) == ["links"]
    assert legend_labels(ground) == ["outline", "people"]
    assert (ground.get_xlabel(), ground.get_ylabel()) == (
        "metres to the right of the camera",
        "metres ahead of the camera",
    )
    assert bar.get_xlabel() == "areas (persons/m²)"
    [filled] = find_collections(overlay, PolyCollection)
    assert filled.get_array().tolist() == [0.5, 2.0]
    assert len(people.images) == len(overlay.images) == 1
    assert overlay.images[0].get_array().mean() > people.images[0].get_array().mean()


def test_ground_layers_only_need_no_overlay_panel() -> None:
    figure, _ = draw(example_scene(12), DOTS)
    assert [axes.get_xlabel() for axes in figure.axes] == ["x (px)", "metres to the right of the camera"]


def test_discrete_cells_are_drawn_with_their_values(figure: Figure) -> None:
    axes = figure.subplots()
    draw_layers(axes, [COUNTS], colour_scales([COUNTS]))
    [mesh] = find_collections(axes, QuadMesh)
    assert np.ma.filled(mesh.get_array(), -1).tolist() == [[1, -1], [3, 2]]
    assert mesh.get_datalim(axes.transData).bounds == (0, 0, 640, 480)
    assert (mesh.norm.vmin, mesh.norm.vmax) == (0, 3)


def test_a_smooth_heatmap_is_transparent_where_values_are_low(figure: Figure) -> None:
    axes = figure.subplots()
    draw_layers(axes, [SMOOTH], colour_scales([SMOOTH]))
    [heatmap] = axes.images
    assert heatmap.get_array().sum() == SMOOTH.values.sum()
    assert heatmap.get_extent() == [0, 640, 480, 0]
    alpha = heatmap.get_alpha()
    assert alpha[0, 0] == 0
    assert (np.diff(alpha.ravel()) >= 0).all()


def test_values_of_one_unit_share_a_colour_scale() -> None:
    scales = colour_scales([SMOOTH, LOCAL_DENSITIES, AREAS, COUNTS])
    assert [(scale.label, scale.colour_map) for scale in scales.values()] == [
        ("map, local density, areas (persons/m²)", "viridis"),
        ("cells (persons)", "cividis"),
    ]
    assert scales["persons/m²"].norm.vmax == 11


@pytest.mark.parametrize(
    ("values", "limits", "is_clipped"),
    [
        ([[0.5, 0.5]], (0, 0.75), False),
        ([[0.0, 0.0]], (0, 1), False),
        ([[-2.0, 4.0]], (-2, 4), False),
        ([[*[1.0] * 99, 50.0]], (0, 1), True),
    ],
    ids=["one value", "zeros", "negative", "one peak"],
)
def test_colours_span_the_values_from_0(
    values: list[list[float]], limits: tuple[float, float], is_clipped: bool
) -> None:
    layer = HeatmapLayer(label="map", unit="m", values=np.array(values), extent=(0, 0, 1, 1))
    scale = colour_scales([layer])["m"]
    assert (scale.norm.vmin, scale.norm.vmax, scale.is_clipped) == (*limits, is_clipped)
    cells = dataclasses.replace(layer, is_discrete=True)
    assert not colour_scales([cells])["m"].is_clipped


def test_layers_without_values_need_no_colour_scale(figure: Figure) -> None:
    all_nan = HeatmapLayer(label="map", unit="m", values=np.full((2, 2), np.nan), extent=(0, 0, 1, 1))
    empty = PolygonLayer(label="none", unit="m", polygons=[], values=np.empty(0))
    assert colour_scales([all_nan, empty, LINKS]) == {}
    axes = figure.subplots()
    handles = draw_layers(axes, [all_nan, empty, LINKS], {})
    assert [handle.get_label() for handle in handles] == ["none", "links"]
    [lines] = find_collections(axes, LineCollection)
    assert len(lines.get_segments()) == 2


def test_the_overlay_plotter_is_picklable_and_draws_a_png() -> None:
    scene = example_scene(12)
    plotter = pickle.loads(pickle.dumps(OverlayPlotter()))
    estimator = LayerEstimator(layers=(COUNTS,))
    data = plotter.draw(ramp_image(scene), scene, estimator, estimator.estimate(scene))
    with Image.open(io.BytesIO(data)) as overlay:
        assert overlay.format == "PNG"
        assert overlay.width > 1000


IMAGES = [
    AnnotatedImage(source_name=name, image=EncodedImage(b"", name))
    for name in ("273,ab", "273,cd", "a/b.jpg", "a/c.jpg", "x.y")
]


@pytest.mark.parametrize(
    ("ids", "selected"),
    [
        (["273,ab"], ["273,ab"]),
        (["a/c", "273,c"], ["a/c.jpg", "273,cd"]),
        (["b"], ["a/b.jpg"]),
        (["x"], ["x.y"]),
        (["a\\b"], ["a/b.jpg"]),
    ],
)
def test_images_are_selected_by_name_or_unique_prefix(ids: list[str], selected: list[str]) -> None:
    assert [item.source_name for item in select_images(IMAGES, ids, 1)] == selected


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("273", "--ids 273: 2 images start with it; choose from 273,ab, 273,cd"),
        ("zz", "--ids zz: no such image among 5; choose from 273,ab, 273,cd, a/b.jpg and 2 more"),
    ],
)
def test_a_name_that_matches_no_image_or_several_is_an_error(name: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        select_images(IMAGES, [name], 1)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("sample", "indices"), [(1, [0]), (2, [0, 4]), (3, [0, 2, 4]), (5, [0, 1, 2, 3, 4]), (9, [0, 1, 2, 3, 4])]
)
def test_a_sample_is_evenly_spaced_over_the_source(sample: int, indices: list[int]) -> None:
    assert select_images(IMAGES, [], sample) == [IMAGES[index] for index in indices]
    assert select_images([], [], sample) == []


def test_figure_names_are_portable_and_unique() -> None:
    names = ["a/b.jpg", "a b.PNG", "273,ab", "x.y", "a_b", "ü:*?.webp", "../up"]
    paths = figure_paths(names, Path("out"), "svg")
    assert [path.as_posix() for path in paths] == [
        "out/a_b.svg",
        "out/a_b-2.svg",
        "out/273,ab.svg",
        "out/x.y.svg",
        "out/a_b-3.svg",
        "out/ü_.svg",
        "out/.._up.svg",
    ]


def test_the_figure_equals_the_baseline_image(compare_with_baseline: Any) -> None:
    scene, layers = example_scene(12), (SMOOTH, LOCAL_DENSITIES, LINKS, OUTLINE, DOTS)
    compare_with_baseline(plot_estimate(ramp_image(scene), scene, LayerEstimator(layers=layers)), "density")
