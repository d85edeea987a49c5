"""What the keys of a stats file measure, in words and units for axes."""

from __future__ import annotations

from dataclasses import dataclass

GENERATOR_LOSS, DISCRIMINATOR_LOSS = "Loss/G/loss", "Loss/D/loss"

LOSS_AXIS = "logistic loss (nats)"

SCORE_AXIS = "output of D (logits)"

NAMES = {
    GENERATOR_LOSS: ("generator G", LOSS_AXIS),
    DISCRIMINATOR_LOSS: ("discriminator D", LOSS_AXIS),
    "Loss/D/reg": ("R1 term of D's loss", LOSS_AXIS),
    "Loss/G/reg": ("path length term of G's loss", LOSS_AXIS),
    "Loss/r1_penalty": ("R1 penalty", "squared gradient (logits²)"),
    "Loss/pl_penalty": ("path length penalty", "squared deviation of path lengths"),
    "Loss/scores/real": ("real images", SCORE_AXIS),
    "Loss/scores/fake": ("generated images", SCORE_AXIS),
    "Loss/signs/real": ("sign, real images", "mean sign of D's output (−1 to 1)"),
    "Loss/signs/fake": ("sign, generated images", "mean sign of D's output (−1 to 1)"),
    "Progress/augment": ("augmentation p (0–1)", "augmentation p (0–1)"),
    "Timing/sec_per_kimg": ("time (s per kimg)", "time (s per kimg)"),
}
"""Key to the name of the line and the text of the axis, unit included."""

PREFIXES = {
    "Loss/scores/real/": ("real, {}", SCORE_AXIS),
    "Loss/scores/fake/": ("generated, {}", SCORE_AXIS),
    "Collapse/spread/": ("{}", "r.m.s. difference of two images (0–1)"),
}
"""The same for keys that go on with the name of a class."""

SUFFIXES = {"_sec": "time (s)", "_hours": "time (h)", "_days": "time (days)", "_gb": "memory (GB)"}
"""Ends of further keys that tell the unit."""


@dataclass(frozen=True)
class Quantity:
    """What a key measures."""

    name: str
    """For the legend."""
    axis: str
    """For the axis, with its unit. Quantities of one axis are drawn in one panel."""


def quantity(key: str) -> Quantity:
    """What a key of a stats file measures; an unknown one goes by its own name."""
    if key in NAMES:
        return Quantity(*NAMES[key])
    for prefix, (name, axis) in PREFIXES.items():
        if key.startswith(prefix):
            return Quantity(name.format(key.removeprefix(prefix)), axis)
    for suffix, axis in SUFFIXES.items():
        if key.endswith(suffix):
            return Quantity(key, axis)
    return Quantity(key, key)
