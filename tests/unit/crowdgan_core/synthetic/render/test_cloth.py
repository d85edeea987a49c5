from __future__ import annotations

import numpy as np

from crowdgan_core.synthetic.people.appearance import random_appearance
from crowdgan_core.synthetic.people.projection import project_people
from crowdgan_core.synthetic.render.cloth import FOLDS_BRIGHTNESS_RANGE, body_brightness
from crowdgan_core.synthetic.render.renderer import SCENERY_INDEX, STATUE_INDEX
from tests.support.synthetic_worlds import SIZE, example_world, synthetic_person


def test_only_visible_people_have_folds_and_their_feet_are_darker() -> None:
    person = synthetic_person(0, 6)
    bodies = project_people(
        (person,), random_appearance(np.random.default_rng(0), 1), example_world(person).camera, (0, 0.5), np.zeros(3)
    )
    _, top, _, bottom = bodies.full_boxes[0].round().astype(int)
    person_index = np.full(SIZE, SCENERY_INDEX, np.int16)
    person_index[top:bottom, 140:180] = 0
    person_index[:, 200:] = STATUE_INDEX
    folds, shaded = (body_brightness(person_index, bodies, feet_shade) for feet_shade in (0.0, 0.5))
    assert (folds[person_index < 0] == 1).all()
    assert (shaded[person_index < 0] == 1).all()
    assert 0.01 < folds[person_index == 0].std() < FOLDS_BRIGHTNESS_RANGE
    remaining = (shaded / folds)[top:bottom, 140:180]
    np.testing.assert_allclose(remaining[0], 1, atol=0.01)
    np.testing.assert_allclose(remaining[-1], 0.5, atol=0.02)
    assert (np.diff(remaining, axis=0) <= 1e-6).all()
