"""Array type aliases, shared by all packages."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
"""Floating-point numbers; the shape is stated where the alias is used."""

BoolArray = npt.NDArray[np.bool_]
"""Booleans, for example a mask over annotations."""

IndexArray = npt.NDArray[np.intp]
"""Indices into another array."""

Points = npt.NDArray[np.float64]
"""Points `[num_points, 2]`, x and y."""

Boxes = npt.NDArray[np.float64]
"""Boxes `[num_boxes, 4]`: x, y, width, height in pixels, origin top left; a missing box is a row of NaN."""

ImageArray = npt.NDArray[np.uint8]
"""Pixels `[height, width, 3]`, RGB."""

LabelArray = npt.NDArray[np.float32]
"""Label vectors `[num_images, label_dim]`."""
