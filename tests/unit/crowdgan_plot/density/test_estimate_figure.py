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
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image

from crowdgan_core.density.class_bounds import ClassBounds
from crowdgan_core.density.estimator import DensityEstimate, DensityEstimator
from crowdgan_core.density.layers import (
    HeatmapLayer,
    Layer,
    LineLayer,
    PointLayer,
    PolygonLayer,
    TextLayer,
    ValueClasses,
)
from crowdgan_core.errors import ConfigError, DensityError
from crowdgan_core.io.stored_images import EncodedImage
from crowdgan_core.scenes.scene import Scene
from crowdgan_core.sources.base import AnnotatedImage
from crowdgan_core.testing import example_scene
from crowdgan_plot.density.batch import figure_paths, select_images
from crowdgan_plot.density.colour_scales import colour_scales
from crowdgan_plot.density.estimate_figure import draw_explained_image, plot_estimate
from crowdgan_plot.density.estimate_header import estimate_header, format_value
from crowdgan_plot.density.explained_image import ExplainedImage, explain_image
from crowdgan_plot.density.layer_drawing import Handles, draw_layers
from crowdgan_plot.density.overlay_plotter import OverlayPlotter
from crowdgan_plot.style import class_colours, plot_style

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
SPOTS = PointLayer(label="spots", points=np.array([[8.0, 8.0]]), space="ground", texts=["2.5 · C"])
LINKS = LineLayer(label="links", lines=[TRIANGLE[:2], TRIANGLE[1:]])
PEAK = TextLayer(label="peak 3 persons")
LEVELS = ValueClasses(title="levels", names=("A", "B", "C"), bounds=ClassBounds(values=(1.0, 2.0)))
LEVEL_AREAS = dataclasses.replace(AREAS, classes=LEVELS, unit="persons")


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


@dataclasses.dataclass(frozen=True, kw_only=True)
class ScaleEstimator(DensityEstimator):
    """Number of persons with a level."""

    name: ClassVar[str] = "scale"
    unit: ClassVar[str] = "persons"
    classes: ClassVar[tuple[str, ...]] = ("A", "B")

    bounds: ClassBounds

    @property
    def class_bounds(self) -> ClassBounds:
        """The boundary."""
        return self.bounds

    def estimate(self, scene: Scene) -> DensityEstimate:
        """The count."""
        return DensityEstimate(value=len(scene), unit=self.unit, class_index=self.bounds.class_index(len(scene)))


def ramp_image(scene: Scene) -> np.ndarray:
    ramp = np.linspace(0, 255, scene.size[1]).astype(np.uint8)
    return np.tile(ramp[None, :, None], (scene.size[0], 1, 3))


def draw(scene: Scene, *layers: Layer) -> tuple[Figure, ExplainedImage]:
    with plot_style():
        explained = explain_image(ramp_image(scene), scene, LayerEstimator(layers=layers))
        return draw_explained_image(explained), explained


def legend_labels(figure: Figure) -> list[str]:
    return [text.get_text() for legend in figure.legends for text in legend.get_texts()]


def header_texts(figure: Figure) -> list[str]:
    return [item.get_text() for item in (*figure.texts, *figure.artists) if isinstance(item, Text)]


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
    assert legend_labels(figure) == ["10 boxes", "2 ignore regions"]
    x, y, w, h = scene.full_boxes[2]
    assert boxes.get_paths()[0].get_extents().bounds == pytest.approx((x, y, w, h))
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("x (px)", "y (px)")
    assert (axes.get_xlim(), axes.get_ylim()) == ((0, 640), (480, 0))


def test_heads_without_boxes_are_points() -> None:
    heads = example_scene(30).head_boxes
    figure, _ = draw(Scene(source_name="heads", size=(480, 640), head_boxes=heads))
    [points] = find_collections(figure.axes[0], PathCollection)
    assert points.get_offsets().tolist() == (heads[:, :2] + heads[:, 2:] / 2).tolist()
    assert legend_labels(figure) == ["30 heads"]


def test_the_header_contains_image_value_class_interval_and_texts() -> None:
    figure, explained = draw(example_scene(12), PEAK)
    header = estimate_header(explained)
    assert header.caption == "example-12 · 12 people · layers"
    assert header.headline == "12 persons"
    assert header.class_text == "class: many"
    assert header.details == "95 % interval 1 to 2,000 · peak 3 persons"
    assert header_texts(figure) == [header.caption, header.headline, header.details, header.class_text]


def test_the_class_of_a_named_scale_is_a_level() -> None:
    bounds = ClassBounds(values=(10.5,), scale="few-many")
    _, explained = draw(example_scene(12))
    assert explained.class_noun == "class"
    explained = explain_image(ramp_image(example_scene(3)), example_scene(3), ScaleEstimator(bounds=bounds))
    assert (explained.class_noun, estimate_header(explained).class_text) == ("level", "level A")


def test_an_unknown_estimate_has_its_reason_in_the_header() -> None:
    header = estimate_header(draw(example_scene(1))[1])
    assert (header.headline, header.class_text) == ("density unknown", None)
    assert header.details == "cannot be estimated: fewer than 2 persons"
    figure, _ = draw(example_scene(0), COUNTS)
    assert "cannot be estimated: no persons" in header_texts(figure)
    assert len(figure.axes) == 1


def test_the_headline_is_legible_where_a_slide_is_400_px_wide() -> None:
    figure, _ = draw(example_scene(12))
    headline = next(text for text in figure.texts if text.get_text() == "12 persons")
    assert headline.get_fontsize() / 72 * 400 / figure.get_size_inches()[0] > 12


def test_long_texts_stay_inside_the_figure() -> None:
    scene = dataclasses.replace(example_scene(12), source_name="long name " * 40)
    figure, _ = draw(scene, *(TextLayer(label=f"fact {number} about the scene") for number in range(14)))
    figure.draw_without_rendering()
    for text in (*figure.texts, *figure.artists):
        assert figure.bbox.x0 < text.get_window_extent().x0
        assert text.get_window_extent().x1 < figure.bbox.x1
    assert min(text.get_window_extent().y0 for text in figure.texts) > figure.axes[0].get_window_extent().y1


@pytest.mark.parametrize(
    ("value", "text"), [(0.0123456, "0.0123"), (2.0, "2"), (999.4, "999"), (1234.5, "1,234"), (0.0, "0")]
)
def test_values_have_three_significant_digits_or_no_decimals(value: float, text: str) -> None:
    assert format_value(value) == text


def test_persons_per_square_metre_have_the_two_decimals_of_tables() -> None:
    assert [format_value(value, "persons/m²") for value in (0.0, 0.865, 1.9, 12.345)] == [
        "0.00",
        "0.86",
        "1.90",
        "12.35",
    ]


def test_layers_over_the_image_and_on_the_ground_have_panels_and_a_colour_bar() -> None:
    figure, _ = draw(example_scene(12), AREAS, LINKS, OUTLINE, DOTS)
    overlay, ground, bar = figure.axes
    assert legend_labels(figure) == ["links", "outline", "people"]
    assert (ground.get_xlabel(), ground.get_ylabel()) == (
        "metres to the right of the camera",
        "metres ahead of the camera",
    )
    assert ground.get_aspect() == 1
    assert bar.get_xlabel() == "areas (persons/m²)"
    [filled] = find_collections(overlay, PolyCollection)
    assert filled.get_array().tolist() == [0.5, 2.0]
    assert overlay.images[0].get_array().min() > 100


def test_layers_over_the_image_only_are_beside_an_image_with_boxes() -> None:
    figure, _ = draw(example_scene(12), AREAS)
    people, overlay, _ = figure.axes
    assert len(people.images) == len(overlay.images) == 1
    assert overlay.images[0].get_array().mean() > people.images[0].get_array().mean()
    assert len(find_collections(people, PolyCollection)[0].get_paths()) == 12
    assert legend_labels(figure) == ["12 boxes"]


def test_ground_layers_only_need_no_overlay_panel() -> None:
    figure, _ = draw(example_scene(12), DOTS)
    assert [axes.get_xlabel() for axes in figure.axes] == ["", "metres to the right of the camera"]
    assert legend_labels(figure) == ["12 boxes", "people"]


def test_axis_labels_of_a_layer_replace_those_of_the_camera() -> None:
    labelled = dataclasses.replace(OUTLINE, axis_labels=("x in metres", "y in metres"))
    figure, _ = draw(example_scene(12), DOTS, labelled)
    assert (figure.axes[1].get_xlabel(), figure.axes[1].get_ylabel()) == ("x in metres", "y in metres")


def test_the_view_from_above_contains_all_people_at_equal_scales() -> None:
    figure, _ = draw(example_scene(12), AREAS, dataclasses.replace(DOTS, points=np.array([[-4.0, 9], [31, 11]])))
    ground = figure.axes[1]
    assert ground.get_xlim()[0] < -4
    assert ground.get_xlim()[1] > 31
    figure.draw_without_rendering()
    width, height = ground.get_window_extent().size
    assert np.ptp(ground.get_ylim()) / np.ptp(ground.get_xlim()) == pytest.approx(height / width, rel=0.03)


def test_a_figure_with_classes_has_their_names_boundaries_and_colours() -> None:
    figure, _ = draw(example_scene(12), LEVEL_AREAS, DOTS)
    bar = figure.axes[-1]
    assert [text.get_text() for text in bar.texts] == ["A", "B", "C"]
    assert [label.get_text() for label in bar.get_xticklabels()] == ["1", "2"]
    assert bar.get_xlabel() == "areas (persons); levels"
    [class_box] = [item for item in figure.artists if isinstance(item, Text)]
    assert to_hex(class_box.get_bbox_patch().get_facecolor()) == class_colours(3)[1]  # type: ignore[union-attr]


def test_figures_have_the_size_of_a_slide() -> None:
    for layers in ((), (AREAS,), (AREAS, LINKS, OUTLINE, DOTS)):
        width, height = draw(example_scene(12), *layers)[0].get_size_inches()
        assert width / height == pytest.approx(16 / 9)


def test_discrete_cells_are_drawn_with_their_values(figure: Figure) -> None:
    axes = figure.subplots()
    draw_layers(axes, [COUNTS], colour_scales([COUNTS]), {})
    [mesh] = find_collections(axes, QuadMesh)
    assert np.ma.filled(mesh.get_array(), -1).tolist() == [[1, -1], [3, 2]]
    assert mesh.get_datalim(axes.transData).bounds == (0, 0, 640, 480)
    assert (mesh.norm.vmin, mesh.norm.vmax) == (0, 3)


def test_a_smooth_heatmap_is_transparent_where_values_are_low(figure: Figure) -> None:
    axes = figure.subplots()
    draw_layers(axes, [SMOOTH], colour_scales([SMOOTH]), {})
    [heatmap] = axes.images
    assert heatmap.get_array().sum() == SMOOTH.values.sum()
    assert heatmap.get_extent() == [0, 640, 480, 0]
    alpha = heatmap.get_alpha()
    assert alpha[0, 0] == 0
    assert (np.diff(alpha.ravel()) >= 0).all()


def test_layers_without_values_need_no_colour_scale(figure: Figure) -> None:
    all_nan = HeatmapLayer(label="map", unit="m", values=np.full((2, 2), np.nan), extent=(0, 0, 1, 1))
    empty = PolygonLayer(label="none", unit="m", polygons=[], values=np.empty(0))
    assert colour_scales([all_nan, empty, LINKS]) == {}
    axes = figure.subplots()
    handles: Handles = {}
    draw_layers(axes, [all_nan, empty, LINKS], {}, handles)
    assert list(handles) == ["none", "links"]
    assert handles["none"].get_color() != handles["links"].get_color()
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
    scene, layers = example_scene(12), (SMOOTH, LOCAL_DENSITIES, LEVEL_AREAS, LINKS, OUTLINE, DOTS, SPOTS, PEAK)
    compare_with_baseline(plot_estimate(ramp_image(scene), scene, LayerEstimator(layers=layers)), "density")
