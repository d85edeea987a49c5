"""The core of crowdgan: annotated images, density estimates, datasets, models, plugins and the command `crowdgan`.

Public names are imported on first use; importing the package does not load numpy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from crowdgan_core.utils.lazy import attach

if TYPE_CHECKING:
    from crowdgan_core.api import (
        build_dataset,
        edit_density,
        estimate_densities,
        evaluate_metrics,
        generate_images,
        get_estimator,
        load_generator,
        mix_images,
        open_dataset,
        open_source,
        project_image,
        read_scenes,
        sweep_images,
        tile_images,
        write_synthetic_dataset,
    )
    from crowdgan_core.datasets.inspection import inspect_dataset
    from crowdgan_core.density.estimator import DensityEstimate, DensityEstimator
    from crowdgan_core.density.options import option
    from crowdgan_core.errors import CrowdganError
    from crowdgan_core.hookspecs import hookimpl
    from crowdgan_core.models.card import ModelCard, read_card
    from crowdgan_core.plugins.discovery import installed_plugins
    from crowdgan_core.scenes.camera import Camera
    from crowdgan_core.scenes.scene import PersonAnnotations, Scene
    from crowdgan_core.utils.tables import to_frame

    __version__: str

_MODULES = {
    "Camera": "scenes.camera",
    "CrowdganError": "errors",
    "DensityEstimate": "density.estimator",
    "DensityEstimator": "density.estimator",
    "ModelCard": "models.card",
    "PersonAnnotations": "scenes.scene",
    "Scene": "scenes.scene",
    "build_dataset": "api",
    "edit_density": "api",
    "estimate_densities": "api",
    "evaluate_metrics": "api",
    "generate_images": "api",
    "get_estimator": "api",
    "hookimpl": "hookspecs",
    "inspect_dataset": "datasets.inspection",
    "installed_plugins": "plugins.discovery",
    "load_generator": "api",
    "mix_images": "api",
    "open_dataset": "api",
    "open_source": "api",
    "option": "density.options",
    "project_image": "api",
    "read_card": "models.card",
    "read_scenes": "api",
    "sweep_images": "api",
    "tile_images": "api",
    "to_frame": "utils.tables",
    "write_synthetic_dataset": "api",
}

__all__ = [
    "Camera",
    "CrowdganError",
    "DensityEstimate",
    "DensityEstimator",
    "ModelCard",
    "PersonAnnotations",
    "Scene",
    "build_dataset",
    "edit_density",
    "estimate_densities",
    "evaluate_metrics",
    "generate_images",
    "get_estimator",
    "hookimpl",
    "inspect_dataset",
    "installed_plugins",
    "load_generator",
    "mix_images",
    "open_dataset",
    "open_source",
    "option",
    "project_image",
    "read_card",
    "read_scenes",
    "sweep_images",
    "tile_images",
    "to_frame",
    "write_synthetic_dataset",
]

__getattr__, __dir__ = attach(__name__, _MODULES)
