"""Names and units of the keys of `stats.jsonl`."""

from __future__ import annotations

from dataclasses import dataclass

GENERATOR_LOSS_KEY, DISCRIMINATOR_LOSS_KEY = "Loss/G/loss", "Loss/D/loss"

LOSS_AXIS = "logistic loss (nats)"

SCORE_AXIS = "output of D (logits)"

SIGN_AXIS = "mean sign of D's output (−1 to 1)"

QUANTITIES_BY_KEY = {
    GENERATOR_LOSS_KEY: ("generator G", LOSS_AXIS),
    DISCRIMINATOR_LOSS_KEY: ("discriminator D", LOSS_AXIS),
    "Loss/D/reg": ("R1 term of D's loss", LOSS_AXIS),
    "Loss/G/reg": ("path length term of G's loss", LOSS_AXIS),
    "Loss/r1_penalty": ("R1 penalty", "squared gradient (logits²)"),
    "Loss/pl_penalty": ("path length penalty", "squared deviation of path lengths"),
    "Loss/scores/real": ("real images", SCORE_AXIS),
    "Loss/scores/fake": ("generated images", SCORE_AXIS),
    "Loss/signs/real": ("sign, real images", SIGN_AXIS),
    "Loss/signs/fake": ("sign, generated images", SIGN_AXIS),
    "Progress/augment": ("augmentation p (0–1)", "augmentation p (0–1)"),
    "Timing/sec_per_kimg": ("time (s per kimg)", "time (s per kimg)"),
}
"""Name of the curve and axis label with unit, by key."""

METRIC_PREFIX = "Metrics/"
"""Prefix of quality metrics, which are computed at snapshots."""

QUANTITIES_BY_PREFIX = {
    "Loss/scores/real/": ("real, {}", SCORE_AXIS),
    "Loss/scores/fake/": ("generated, {}", SCORE_AXIS),
    "Collapse/spread/": ("{}", "RMS difference of two images (0–1)"),
    "Metrics/fid": ("fid{}", "Fréchet inception distance (lower is better)"),
    "Metrics/fd_": ("fd_{}", "Fréchet distance of features (lower is better)"),
    "Metrics/kid": ("kid{}", "kernel distance (lower is better)"),
    "Metrics/pr": ("pr{}", "precision and recall (0–1, higher is better)"),
    "Metrics/is50k": ("is50k{}", "inception score (higher is better)"),
    "Metrics/ppl": ("ppl{}", "perceptual path length (lower is better)"),
    "Metrics/eq": ("eq{}", "equivariance (dB, higher is better)"),
    "Metrics/density_fidelity_accuracy": ("accuracy{}", "density fidelity: accuracy (higher is better)"),
    "Metrics/density_fidelity_mae": ("mae{}", "density fidelity: mean error (lower is better)"),
    "Metrics/density_fidelity_spearman": ("spearman{}", "density fidelity: rank correlation"),
    "Metrics/density_fidelity_ordering": ("ordering{}", "density fidelity: ordered pairs (0–1)"),
    "Metrics/density_fidelity_agreement": ("agreement{}", "density fidelity: agreement of predictors (0–1)"),
    METRIC_PREFIX: ("{}", "{}"),
}
"""The same by prefix, the first that matches; the rest of the key, for example a class name, replaces `{}`."""

AXES_BY_SUFFIX = {"_sec": "time (s)", "_hours": "time (h)", "_days": "time (days)", "_gb": "memory (GB)"}
"""Axis labels by suffix, for keys that end in a unit."""


@dataclass(frozen=True)
class Quantity:
    """A measured quantity of training."""

    name: str
    """Name of the curve in the legend."""
    axis: str
    """Axis label with unit. Quantities with equal axis labels share a panel."""


def quantity_of(key: str) -> Quantity:
    """The quantity of a key; an unknown key is its own name and axis label."""
    if key in QUANTITIES_BY_KEY:
        return Quantity(*QUANTITIES_BY_KEY[key])
    for prefix, (name, axis) in QUANTITIES_BY_PREFIX.items():
        if key.startswith(prefix):
            rest = key.removeprefix(prefix)
            return Quantity(name.format(rest), axis.format(rest))
    for suffix, axis in AXES_BY_SUFFIX.items():
        if key.endswith(suffix):
            return Quantity(key, axis)
    return Quantity(key, key)
