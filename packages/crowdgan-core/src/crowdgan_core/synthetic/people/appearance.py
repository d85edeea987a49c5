"""What people look like: colours of skin, hair and clothes, and what they wear and carry."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

SKIN = (
    (240, 204, 180), (226, 182, 152), (209, 160, 124), (184, 134, 98), (150, 103, 72), (113, 75, 52), (82, 54, 40),
)  # fmt: skip
"""Skin colours, light to dark, RGB 0 to 255; ours, after the spread of the Monk skin tone scale."""

HAIR = (
    (28, 24, 22), (44, 33, 27), (70, 48, 34), (98, 69, 44), (150, 114, 70), (186, 158, 110), (126, 60, 36),
    (150, 148, 146),
)  # fmt: skip
"""Hair colours, RGB."""

HAIR_SHARES = (0.28, 0.22, 0.17, 0.11, 0.06, 0.05, 0.03, 0.08)

TOPS = (
    (32, 34, 40), (52, 56, 64), (30, 42, 74), (46, 72, 116), (92, 124, 160), (176, 190, 202), (222, 220, 214),
    (240, 238, 234), (150, 34, 38), (188, 70, 54), (120, 44, 62), (206, 160, 62), (226, 202, 120), (78, 88, 58),
    (48, 84, 66), (112, 144, 116), (40, 110, 116), (190, 168, 138), (142, 112, 84), (94, 70, 52), (206, 142, 150),
    (118, 88, 136), (134, 138, 142), (90, 94, 98), (214, 96, 40), (60, 130, 180),
)  # fmt: skip
"""Colours of shirts, jackets and dresses, RGB; ours."""

DARK_TOP_SHARE = 0.35
"""Share of tops taken from the first five colours: crowds are darker than a palette."""

BOTTOMS = (
    (26, 27, 32), (38, 44, 58), (44, 58, 88), (66, 86, 120), (96, 116, 146), (58, 58, 60), (96, 96, 98),
    (150, 136, 112), (178, 164, 138), (84, 70, 56), (66, 72, 54), (206, 202, 194),
)  # fmt: skip
"""Colours of trousers and skirts, RGB; ours."""

SHOES = (
    (24, 24, 26), (40, 34, 30), (74, 54, 40), (218, 216, 212), (120, 118, 116), (150, 60, 56),
)  # fmt: skip
"""Colours of shoes, RGB; ours."""

STONE = (148, 146, 138)
"""Colour of a statue, RGB."""

SLOTS = ("skin", "hair", "top", "sleeve", "bottom", "shank", "shoe", "bag", "shirt", "eye", "lips")
"""Coloured things of a body, in the order of `Wardrobe.colours`; sleeve and shank are skin where they are bare."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Wardrobe:
    """Looks of a number of people."""

    colours: Array
    """`[num_people, num_slots, 3]` RGB 0 to 255."""

    skirt: npt.NDArray[np.bool_]
    """`[num_people]` whether a skirt or dress is worn."""

    long_coat: npt.NDArray[np.bool_]
    """`[num_people]` whether the top reaches down the thighs."""

    long_hair: npt.NDArray[np.bool_]
    """`[num_people]` whether hair falls to the shoulders."""

    backpack: npt.NDArray[np.bool_]
    """`[num_people]` whether a backpack is carried."""

    open_jacket: npt.NDArray[np.bool_]
    """`[num_people]` whether the top is open over a shirt."""

    bends_rad: Array
    """`[num_people, 2]` bend of the right and left elbow; above 1 something is held before the body."""


def random_wardrobe(rng: np.random.Generator, count: int) -> Wardrobe:
    """Looks of `count` people."""
    female = rng.random(count) < 0.5
    skin = _pick(rng, SKIN, count)
    top = np.where((rng.random(count) < DARK_TOP_SHARE)[:, None], _pick(rng, TOPS[:5], count), _pick(rng, TOPS, count))
    skirt = female & (rng.random(count) < 0.3)
    long_coat = ~skirt & (rng.random(count) < 0.2)
    bare_arms, bare_legs = (rng.random(count) < 0.35) & ~long_coat, skirt | (rng.random(count) < 0.08)
    bottom = _pick(rng, BOTTOMS, count)
    dress = skirt & (rng.random(count) < 0.5)
    bottom = np.where(dress[:, None], top, bottom)
    sleeve = np.where(bare_arms[:, None], skin, top)
    shank = np.where(bare_legs[:, None], skin, bottom)
    hair = np.array(HAIR, float)[rng.choice(len(HAIR), count, p=HAIR_SHARES)]
    hair = np.where((~female & (rng.random(count) < 0.08))[:, None], skin, hair)
    slots = [
        skin,
        hair,
        top,
        sleeve,
        bottom,
        shank,
        _pick(rng, SHOES, count),
        _pick(rng, TOPS, count),
        _pick(rng, TOPS, count),
    ]
    slots += [0.25 * skin, skin * (0.78, 0.62, 0.6)]
    return Wardrobe(
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


def stone_wardrobe(count: int) -> Wardrobe:
    """Looks of statues: everything of stone, with a long coat."""
    no = np.zeros(count, bool)
    colours = np.broadcast_to(np.array(STONE, float), (count, len(SLOTS), 3))
    return Wardrobe(
        colours=colours,
        skirt=no,
        long_coat=~no,
        long_hair=no,
        backpack=no,
        open_jacket=no,
        bends_rad=np.full((count, 2), (1.4, 0.3)),
    )


def _pick(rng: np.random.Generator, palette: tuple[tuple[int, int, int], ...], count: int) -> Array:
    """`[count, 3]` colours of a palette, each a little off."""
    chosen = np.array(palette, float)[rng.integers(len(palette), size=count)]
    return np.asarray(chosen * rng.uniform(0.88, 1.1, (count, 1)) + rng.normal(0, 4, (count, 3)))
