"""The hooks of this distribution: density estimators, sources of head-point datasets, and commands.

Neither importing this module nor calling its hooks loads scipy, so that `crowdgan --help` stays fast.
"""

from __future__ import annotations

from collections.abc import Sequence

from crowdgan_core.density import DensityEstimator
from crowdgan_core.hookspecs import CommandOffer, hookimpl
from crowdgan_core.sources import SceneSource
from crowdgan_density.compat import Sg3Euclidean, Sg3Grid, Sg3GridMetres, Sg3Normalised, Sg3Threshold
from crowdgan_density.counting import Normalised, Threshold
from crowdgan_density.grid import Grid, GridMetres
from crowdgan_density.ground import Ground
from crowdgan_density.head_points import ShanghaiTech, UcfCc50
from crowdgan_density.kernel import KernelDensity
from crowdgan_density.spacing import Euclidean
from crowdgan_density.voronoi import Voronoi


@hookimpl
def crowdgan_register_density_estimators() -> Sequence[type[DensityEstimator]]:
    """The published methods, the finished kernel density, and the original tool's labels."""
    return [
        Threshold,
        Normalised,
        Euclidean,
        Grid,
        GridMetres,
        KernelDensity,
        Ground,
        Voronoi,
        Sg3Threshold,
        Sg3Normalised,
        Sg3Euclidean,
        Sg3Grid,
        Sg3GridMetres,
    ]


@hookimpl
def crowdgan_register_scene_sources() -> Sequence[SceneSource]:
    """Crowd-counting datasets with head points."""
    return [ShanghaiTech(), UcfCc50()]


@hookimpl
def crowdgan_register_commands() -> Sequence[CommandOffer]:
    """`crowdgan calibrate` and `crowdgan density evaluate`."""
    from crowdgan_density.cli import calibrate, evaluate

    return [CommandOffer("", calibrate.command), CommandOffer("density", evaluate.command)]
