"""Appearance of people: colours of skin, hair and clothes, garments and bags."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from crowdgan_core.utils.arrays import BoolArray, FloatArray

SKIN_COLOURS = (
    (240, 204, 180), (226, 182, 152), (209, 160, 124), (184, 134, 98), (150, 103, 72), (113, 75, 52), (82, 54, 40),
)  # fmt: skip
"""Skin colours, light to dark, RGB 0 to 255; ours, in the range of the Monk skin tone scale."""

HAIR_COLOURS = (
    (28, 24, 22), (44, 33, 27), (70, 48, 34), (98, 69, 44), (150, 114, 70), (186, 158, 110), (126, 60, 36),
    (150, 148, 146),
)  # fmt: skip
"""Hair colours, RGB; ours."""

HAIR_PROBABILITIES = (0.28, 0.22, 0.17, 0.11, 0.06, 0.05, 0.03, 0.08)
"""Probabilities of the hair colours; ours."""

TOP_COLOURS = (
    (32, 34, 40), (52, 56, 64), (30, 42, 74), (46, 72, 116), (92, 124, 160), (176, 190, 202), (222, 220, 214),
    (240, 238, 234), (150, 34, 38), (188, 70, 54), (120, 44, 62), (206, 160, 62), (226, 202, 120), (78, 88, 58),
    (48, 84, 66), (112, 144, 116), (40, 110, 116), (190, 168, 138), (142, 112, 84), (94, 70, 52), (206, 142, 150),
    (118, 88, 136), (134, 138, 142), (90, 94, 98), (214, 96, 40), (60, 130, 180),
)  # fmt: skip
"""Colours of shirts, jackets and dresses, RGB; ours."""

NUM_DARK_TOPS = 5
"""Number of dark colours at the start of `TOP_COLOURS`."""

DARK_TOP_PROBABILITY = 0.35
"""Probability that a top has one of the dark colours, which are more frequent in crowds; ours."""

BOTTOM_COLOURS = (
    (26, 27, 32), (38, 44, 58), (44, 58, 88), (66, 86, 120), (96, 116, 146), (58, 58, 60), (96, 96, 98),
    (150, 136, 112), (178, 164, 138), (84, 70, 56), (66, 72, 54), (206, 202, 194),
)  # fmt: skip
"""Colours of trousers and skirts, RGB; ours."""

SHOE_COLOURS = (
    (24, 24, 26), (40, 34, 30), (74, 54, 40), (218, 216, 212), (120, 118, 116), (150, 60, 56),
)  # fmt: skip
"""Colours of shoes, RGB; ours."""

STONE_COLOUR = (148, 146, 138)
"""Colour of a statue, RGB."""

COLOUR_SLOTS = ("skin", "hair", "top", "sleeve", "bottom", "shank", "shoe", "bag", "shirt", "eye", "lips")
"""Coloured surfaces of a body, in the order of `Appearance.colours`; bare sleeves and shanks have the skin's colour."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Appearance:
    """Appearance of a number of people."""

    colours: FloatArray
    """`[num_people, num_slots, 3]` RGB 0 to 255."""

    skirt: BoolArray
    """`[num_people]` whether the person wears a skirt or dress."""

    long_coat: BoolArray
    """`[num_people]` whether the top reaches the thighs."""

    long_hair: BoolArray
    """`[num_people]` whether the hair reaches the shoulders."""

    backpack: BoolArray
    """`[num_people]` whether the person carries a backpack."""

    open_jacket: BoolArray
    """`[num_people]` whether the top is open over a shirt."""

    bends_rad: FloatArray
    """`[num_people, 2]` flexion of the right and left elbow; above 1 the hand is in front of the body."""


def random_appearance(rng: np.random.Generator, count: int) -> Appearance:
    """Random appearance of `count` people."""
    female = rng.random(count) < 0.5
    skin = _random_colours(rng, SKIN_COLOURS, count)
    dark_top = (rng.random(count) < DARK_TOP_PROBABILITY)[:, None]
    dark_colours = _random_colours(rng, TOP_COLOURS[:NUM_DARK_TOPS], count)
    top = np.where(dark_top, dark_colours, _random_colours(rng, TOP_COLOURS, count))
    skirt = female & (rng.random(count) < 0.3)
    long_coat = ~skirt & (rng.random(count) < 0.2)
    bare_arms, bare_legs = (rng.random(count) < 0.35) & ~long_coat, skirt | (rng.random(count) < 0.08)
    bottom = _random_colours(rng, BOTTOM_COLOURS, count)
    dress = skirt & (rng.random(count) < 0.5)
    bottom = np.where(dress[:, None], top, bottom)
    sleeve = np.where(bare_arms[:, None], skin, top)
    shank = np.where(bare_legs[:, None], skin, bottom)
    hair = np.array(HAIR_COLOURS, float)[rng.choice(len(HAIR_COLOURS), count, p=HAIR_PROBABILITIES)]
    bald = ~female & (rng.random(count) < 0.08)
    hair = np.where(bald[:, None], skin, hair)
    shoe = _random_colours(rng, SHOE_COLOURS, count)
    bag = _random_colours(rng, TOP_COLOURS, count)
    shirt = _random_colours(rng, TOP_COLOURS, count)
    eye, lips = 0.25 * skin, skin * (0.78, 0.62, 0.6)
    slots = [skin, hair, top, sleeve, bottom, shank, shoe, bag, shirt, eye, lips]
    return Appearance(
        colours=np.stack(slots, axis=1).clip(0, 255),
        skirt=skirt,
        long_coat=long_coat,
        long_hair=female & (rng.random(count) < 0.65),
        open_jacket=~bare_arms & (rng.random(count) < 0.35),
        backpack=rng.random(count) < 0.16,
        bends_rad=np.where(
            rng.random((count, 2)) < 0.16, rng.uniform(1.2, 1.9, (count, 2)), rng.uniform(0.1, 0.5, (count, 2))
        ),
    )


def statue_appearance(count: int) -> Appearance:
    """Appearance of statues: all surfaces of stone, with a long coat."""
    absent = np.zeros(count, bool)
    colours = np.broadcast_to(np.array(STONE_COLOUR, float), (count, len(COLOUR_SLOTS), 3))
    return Appearance(
        colours=colours,
        skirt=absent,
        long_coat=~absent,
        long_hair=absent,
        backpack=absent,
        open_jacket=absent,
        bends_rad=np.full((count, 2), (1.4, 0.3)),
    )


def join_appearances(first: Appearance, second: Appearance) -> Appearance:
    """Appearance of the people of both."""
    names = [field.name for field in fields(Appearance)]
    return Appearance(**{name: np.concatenate([getattr(first, name), getattr(second, name)]) for name in names})


def _random_colours(rng: np.random.Generator, palette: tuple[tuple[int, int, int], ...], count: int) -> FloatArray:
    """Colours of a palette with small random deviations, `[count, 3]` RGB."""
    base = np.array(palette, float)[rng.integers(len(palette), size=count)]
    return np.asarray(base * rng.uniform(0.88, 1.1, (count, 1)) + rng.normal(0, 4, (count, 3)))
