"""Detects the kind of a path, and opens its view."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from crowdgan_core.api import NamedSource, load_generator, open_dataset
from crowdgan_core.errors import ConfigError
from crowdgan_core.io.run_folder import RunFolder, image_size_of, runs_in
from crowdgan_core.manipulation.density_measurement import DensityMeasurement
from crowdgan_core.models.card import MODEL_SUFFIX
from crowdgan_core.models.latent_file import read_latent, recorded_label
from crowdgan_core.models.latent_generator import require_latents
from crowdgan_core.models.loading import accepting_backend
from crowdgan_core.models.pretrained import find_model
from crowdgan_core.plugins.registry import PluginRegistry
from crowdgan_plot.viewer.app import View
from crowdgan_plot.viewer.dataset.view import DatasetView
from crowdgan_plot.viewer.measured_density import MeasuredDensity
from crowdgan_plot.viewer.model.images import ModelImages
from crowdgan_plot.viewer.model.view import ModelView
from crowdgan_plot.viewer.projection.files import find_projection, is_projection
from crowdgan_plot.viewer.projection.images import ProjectionImages
from crowdgan_plot.viewer.projection.view import ProjectionView, read_target


@dataclass(frozen=True, kw_only=True)
class ViewOptions:
    """Options of the viewer that depend on what it shows."""

    network: Path | None = None
    """Model of a projection."""

    data: Path | None = None
    """Dataset whose densities the density predictors are fitted to."""

    source: NamedSource | None = None
    """Source of a dataset, for boxes and estimates."""

    device: str = "auto"
    """`auto`, `cpu` or `cuda`."""


def open_view(path: Path | None, options: ViewOptions, plugins: PluginRegistry) -> View:
    """The view of a model, run, dataset or projection; of the first pretrained model if no path is given.

    Args:
        path: model file or name of a pretrained model, run folder or a folder of runs, dataset, or projection.
        options: options of the view.
        plugins: the installed plugins.

    Raises:
        ConfigError: no pretrained model is installed, or an option does not apply.
        CheckpointError, DatasetError: the path does not exist or is damaged.
    """
    given = _default_model(plugins) if path is None else path
    found = find_model(given, plugins, expected="file or folder", accepts_folder=True)
    run = _find_run(found)
    if run is not None:
        _reject("run", network=options.network, source=options.source)
        from crowdgan_plot.viewer.run.view import RunView  # imports matplotlib, which the other views do not need

        measured = _measured(image_size_of(run.options()), options, plugins)
        return RunView(run, lambda model: load_generator(model, options.device), measured)
    if is_projection(found):
        _reject("projection", source=options.source)
        return _projection_view(found, options, plugins)
    if _is_model(found, plugins):
        _reject("model", network=options.network, source=options.source)
        generator = load_generator(found, options.device)
        return ModelView(ModelImages(generator, str(given)), _measured(generator.card.resolution, options, plugins))
    _reject("dataset", network=options.network, data=options.data)
    return DatasetView(open_dataset(found), options.source)


def _reject(kind: str, **given: object) -> None:
    """Checks that options which do not apply to a kind of view are not given.

    Raises:
        ConfigError: one is given.
    """
    for name, value in given.items():
        if value is not None:
            raise ConfigError(f"--{name} does not apply to a {kind}")


def _default_model(plugins: PluginRegistry) -> Path:
    if not plugins.pretrained_models:
        raise ConfigError("no pretrained model is installed: pip install crowdgan-stylegan3, or name a model")
    return Path(next(iter(plugins.pretrained_models)))


def _is_model(path: Path, plugins: PluginRegistry) -> bool:
    if path.suffix.lower() == MODEL_SUFFIX:
        return True
    return path.is_file() and accepting_backend(path, plugins.model_backends) is not None


def is_run(path: Path) -> bool:
    """Whether a path is a run folder."""
    run = RunFolder(path)
    return path.is_dir() and (run.stats_path.is_file() or run.options_path.is_file())


def _find_run(path: Path) -> RunFolder | None:
    """The run of a run folder, or the newest one of a folder of runs; None for other paths."""
    if is_run(path):
        return RunFolder(path)
    return next((run for run in runs_in(path) if is_run(run.path)), None)


def _projection_view(path: Path, options: ViewOptions, plugins: PluginRegistry) -> ProjectionView:
    files = find_projection(path)
    network = files.network(options.network, plugins.pretrained_models)
    generator = require_latents(load_generator(network, options.device), "a projection")
    card = generator.card
    images = ProjectionImages(
        generator,
        str(network),
        read_latent(files.latents, generator)[0],
        recorded_label(files.record, card),
        None if files.target is None else read_target(files.target, card.resolution),
        files.latents,
    )
    return ProjectionView(images, files.name, _measured(card.resolution, options, plugins))


def _measured(size: tuple[int, int] | None, options: ViewOptions, plugins: PluginRegistry) -> MeasuredDensity | None:
    """Measures densities of images of `size` `(height, width)` as in the dataset `--data`; None without it."""
    if options.data is None:
        return None
    reader = open_dataset(options.data)
    resolution = size or reader.image_size(0)

    def fit() -> DensityMeasurement:
        return DensityMeasurement.fit(reader, plugins, resolution=resolution, device=options.device)

    return MeasuredDensity(fit, reader.metadata.unit)
