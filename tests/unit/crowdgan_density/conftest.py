"""Fixtures for the tests of the estimators."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from crowdgan_core.scenes.scene import Scene

MakeScene = Callable[..., Scene]


@pytest.fixture(scope="session")
def make_scene() -> MakeScene:
    """A function that builds a scene from full boxes; `ignore` and `tagged_person` as lists of 0 and 1."""

    def make(
        boxes: Sequence[Sequence[float]] = (),
        size: tuple[int, int] = (480, 640),
        ignore: Sequence[int] = (),
        tagged_person: Sequence[int] = (),
    ) -> Scene:
        return Scene(
            source_name="example",
            size=size,
            full_boxes=np.array(boxes, float).reshape(-1, 4),
            ignore=np.array(ignore, bool),
            tagged_person=np.array(tagged_person, bool),
        )

    return make


@pytest.fixture(scope="session")
def heads_only() -> Scene:
    """Three people annotated by head points, as in crowd-counting datasets."""
    return Scene(
        source_name="heads", size=(480, 640), head_boxes=np.array([[10, 20, 0, 0], [30, 20, 0, 0], [50, 90, 0, 0]])
    )
