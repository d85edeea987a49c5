"""Drawing of layers."""

from __future__ import annotations

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from crowdgan_core.density.layers import PointLayer
from crowdgan_plot.density.layer_drawing import draw_layers


def test_rings_cover_no_value_beside_their_point() -> None:
    figure = Figure(figsize=(2, 2), dpi=144)  # 2 pixels per point
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, 144), ylim=(0, 144))  # points
    axes.set_axis_off()
    figure.set_facecolor("#b07fa0")
    draw_layers(axes, [PointLayer(label="maximum", points=np.array([[72.0, 72.0]]), texts=("1.2",))], {}, {})
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    pixels = np.asarray(canvas.buffer_rgba())[..., :3].astype(int)
    rows, columns = np.indices(pixels.shape[:2])
    distance_pt = np.hypot(rows + 0.5 - 144, columns + 0.5 - 144) / 2
    changed = (pixels != [0xB0, 0x7F, 0xA0]).any(axis=2)
    assert not changed[distance_pt < 8].any()
    assert not changed[distance_pt > 12].any()
    ring = (distance_pt > 9.8) & (distance_pt < 10.2)
    assert changed[ring].all()
    assert pixels[ring].max() < 0x40, "black between two white lines"
    assert (pixels[(distance_pt > 11) & (distance_pt < 11.2)] > 0xE0).all()
