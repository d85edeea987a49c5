"""The Python API: functions on sources, estimators, datasets and models of all installed plugins."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from crowdgan_core.cluster.parallel_options import ParallelOptions
from crowdgan_core.datasets import format_lookup
from crowdgan_core.datasets.metadata import DatasetMetadata
from crowdgan_core.datasets.protocols import DatasetReader
from crowdgan_core.density.checked_calls import fit_estimator
from crowdgan_core.density.estimator import DensityEstimate, DensityEstimator
from crowdgan_core.density.options import KIND
from crowdgan_core.errors import ConfigError
from crowdgan_core.manipulation import density_edit
from crowdgan_core.manipulation import projection as projections
from crowdgan_core.manipulation.density_edit import EditOptions
from crowdgan_core.manipulation.projection import Projection
from crowdgan_core.manipulation.projector import LatentSpace, ProjectionOptions
from crowdgan_core.manipulation.tuning import TuningOptions
from crowdgan_core.metrics.options import DEFAULT_EXTRACTOR, Device, EvaluationOptions
from crowdgan_core.models import loading
from crowdgan_core.models.backend import ImageGenerator
from crowdgan_core.models.card import ModelCard
from crowdgan_core.models.generation import generation, mixing, samples
from crowdgan_core.models.generation.conditioning import Conditioning, LabelVector, given_label, label_vector
from crowdgan_core.models.generation.generation import GenerationOptions
from crowdgan_core.models.generation.sweep_steps import SweepRange, sweep_steps
from crowdgan_core.models.latent_generator import NoiseMode, TruncationMean, require_latents
from crowdgan_core.models.pretrained import find_model
from crowdgan_core.pipeline import build, estimation, reading
from crowdgan_core.pipeline.build_config import BuildConfig
from crowdgan_core.pipeline.image_job import Region
from crowdgan_core.pipeline.reading import ErrorPolicy, ReadConfig
from crowdgan_core.pipeline.summary import BuildSummary
from crowdgan_core.plugins.discovery import installed_plugins
from crowdgan_core.scenes.scene import Scene
from crowdgan_core.scenes.transform import ImageTransform, TransformName
from crowdgan_core.sources import detection
from crowdgan_core.sources.base import AnnotatedImage, SourceProblem, SourceReader
from crowdgan_core.utils.arrays import ImageArray
from crowdgan_core.utils.plugin_calls import plugin_call
from crowdgan_core.utils.progress import Progress

if TYPE_CHECKING:
    from crowdgan_core.metrics.evaluation import EvaluationReport

PathLike = Path | str


@dataclass(frozen=True, repr=False)
class NamedSource:
    """A source reader with the name that messages and dataset metadata give it."""

    name: str
    """For example `crowdhuman: CrowdHuman_train01.zip`."""

    reader: SourceReader

    @property
    def has_annotations(self) -> bool:
        """Whether the source has annotations of people."""
        return self.reader.has_annotations

    @property
    def problems(self) -> Sequence[SourceProblem]:
        """Problems found during indexing."""
        return self.reader.problems

    @property
    def metadata(self) -> DatasetMetadata:
        """Labels and densities of the source, without image records."""
        return self.reader.metadata

    def __len__(self) -> int:
        """Number of images."""
        return len(self.reader)

    def __iter__(self) -> Iterator[AnnotatedImage]:
        """Iterates over the images."""
        return iter(self.reader)

    def __repr__(self) -> str:
        """For example `SourceReader(crowdhuman, 15000 images)`."""
        return repr(self.reader)


def open_source(*paths: PathLike, annotations: PathLike | None = None, kind: str | None = None) -> NamedSource:
    """Opens and indexes a source of images; its type is detected.

    Args:
        paths: folders, ZIP archives or files.
        annotations: annotation file, if it is not stored with the images.
        kind: name of the source type, if it is not detected; `crowdgan plugins` lists the names.

    Raises:
        ConfigError: no source matches the paths, or several do.
        DatasetError: a path does not exist, or the source is damaged.
    """
    files = [Path(path) for path in paths]
    if not files:
        raise ConfigError("open_source needs at least one path")
    annotation_file = None if annotations is None else Path(annotations)
    reader, name = detection.open_source(files, annotation_file, kind, installed_plugins().scene_sources)
    return NamedSource(name, reader)


def read_scenes(
    source: SourceReader,
    *,
    on_error: ErrorPolicy = "fail",
    workers: int = 1,
    scheduler: str | None = None,
    max_images: int | None = None,
) -> list[Scene]:
    """Scenes of a source: boxes and image sizes, without pixels.

    Args:
        source: an opened source.
        on_error: `fail`, or `skip` images that cannot be used.
        workers: worker processes; a script that uses several calls this under `if __name__ == "__main__":`.
        scheduler: Dask scheduler instead of worker processes: its address, `local[N]` or a scheduler file.
        max_images: maximum number of images; None for all.

    Raises:
        ConfigError: the source has no annotations of people.
        DatasetError: an image cannot be used and `on_error` is `fail`, or no images remain.
    """
    config = ReadConfig(on_error=on_error, workers=workers, scheduler=scheduler, max_images=max_images)
    return reading.read_scenes(source, _name(source), config).scenes


def get_estimator(name: str, **options: Any) -> DensityEstimator:
    """An installed density estimator with options, for example `get_estimator("grid", dense_from=4.0)`.

    Raises:
        ConfigError: no such estimator or option, or an invalid value.
        PluginError: another exception in the estimator's code.
    """
    known = installed_plugins().density_estimators
    if name not in known:
        raise ConfigError(f"no such density estimator {name}; choose from {', '.join(known) or 'none: install one'}")
    with plugin_call(KIND, known[name], "options"):
        try:
            return known[name](**options)
        except TypeError as error:
            raise ConfigError(f"{name}: {str(error).partition('() ')[2] or error}") from error


def estimate_densities(
    estimator: DensityEstimator, scenes: Sequence[Scene], *, workers: int = 1, scheduler: str | None = None
) -> list[DensityEstimate]:
    """Density estimates of scenes, in their order; the estimator is fitted to the scenes first.

    Args:
        estimator: the estimator.
        scenes: the scenes.
        workers: worker processes; a script that uses several calls this under `if __name__ == "__main__":`.
        scheduler: Dask scheduler instead of worker processes: its address, `local[N]` or a scheduler file.

    Raises:
        DensityError: the estimator cannot be fitted to these scenes.
    """
    executor = ParallelOptions(workers=workers, scheduler=scheduler).executor
    return estimation.estimate_densities([fit_estimator(estimator, scenes)], scenes, workers=executor)[0]


def build_dataset(
    source: SourceReader,
    dest: PathLike,
    *,
    density: DensityEstimator | str | None = None,
    resolution: tuple[int, int] | None = None,
    transform: TransformName = "center-crop",
    region: Region = "crop",
    label_kind: Literal["class", "value"] = "class",
    on_error: ErrorPolicy = "fail",
    on_unknown: ErrorPolicy = "skip",
    workers: int = 1,
    scheduler: str | None = None,
    overwrite: bool = False,
) -> BuildSummary:
    """Builds a training dataset; it appears at `dest` when it is complete.

    Args:
        source: an opened source.
        dest: NAME.zip, NAME.h5, NAME.shards or a folder.
        density: density estimator or its name; None keeps the labels of the source.
        resolution: `(height, width)` of the images in pixels; None keeps their size.
        transform: crop before resizing.
        region: what is measured: the crop, or the full image.
        label_kind: class index or density value.
        on_error: `fail`, or `skip` images that cannot be used.
        on_unknown: `skip`, or `fail` for images whose density is unknown.
        workers: worker processes; a script that uses several calls this under `if __name__ == "__main__":`.
        scheduler: Dask scheduler instead of worker processes: its address, `local[N]` or a scheduler file.
        overwrite: whether an existing dataset is overwritten.

    Raises:
        ConfigError: no format matches `dest`, or a density is requested and the source has no annotations.
        DatasetError: something cannot be read or written, or no images remain.
    """
    path = Path(dest)
    config = BuildConfig(
        dest=path,
        format=format_lookup.format_for(path, installed_plugins().dataset_formats.values()),
        estimator=get_estimator(density) if isinstance(density, str) else density,
        transform=ImageTransform(name=transform, size=resolution),
        region=region,
        label_kind=label_kind,
        on_error=on_error,
        on_unknown=on_unknown,
        workers=workers,
        scheduler=scheduler,
        overwrite=overwrite,
    )
    return build.build_dataset(source, _name(source), config)


def open_dataset(path: PathLike) -> DatasetReader:
    """A reader of a dataset in any of the installed formats; close it, or use it as a context manager.

    Raises:
        ConfigError: no format matches the path, or several do.
        DatasetError: there is no such dataset, or it is damaged.
    """
    return format_lookup.open_dataset(Path(path), installed_plugins().dataset_formats.values())


def load_generator(
    path: PathLike, device: str = "auto", *, check: Callable[[ModelCard], object] | None = None
) -> ImageGenerator:
    """The generator in a model file, loaded by the installed backend that the model card names.

    Args:
        path: the model file, or the name of a pretrained model; a path that exists takes precedence.
        device: `auto`, `cpu` or `cuda`.
        check: called with the model card before the weights are read; raises to refuse the model.

    Raises:
        CheckpointError: no such file or pretrained model, not a model, a damaged file, or a backend that is not
            installed.
        ConfigError: the device is not available.
    """
    plugins = installed_plugins()
    return loading.load_generator(find_model(Path(path), plugins), plugins.model_backends, device, check=check)


def generate_images(
    generator: ImageGenerator,
    seeds: Sequence[int],
    *,
    density: str | float | None = None,
    label: str | int | None = None,
    truncation_psi: float = 1.0,
    truncation_cutoff: int | None = None,
    truncation_mean: TruncationMean = "label",
    noise_mode: NoiseMode = "const",
    batch_size: int = 8,
) -> ImageArray:
    """Generated images uint8 `[num_seeds, height, width, 3]`, one per seed.

    Args:
        generator: a loaded generator.
        seeds: random seeds, 0 to 2^32 - 1.
        density: class name, or density value for continuous labels.
        label: class index, instead of `density`.
        truncation_psi: 1 turns truncation off; lower values give less diverse images.
        truncation_cutoff: number of truncated layers, from the coarsest; None for all.
        truncation_mean: `label` truncates towards the mean latent of the label, `all` towards that of all labels.
        noise_mode: noise inputs of StyleGAN2: `const`, `random` by seed, or `none`.
        batch_size: images generated at a time; the result does not depend on it.

    Raises:
        ConfigError: the model has no such label, or needs one, or its backend does not support the options.
        PluginError: the backend breaks its contract.
    """
    labels = [_label_vector(generator.card, density, label)] * len(seeds)
    options = GenerationOptions(
        truncation_psi=truncation_psi,
        truncation_cutoff=truncation_cutoff,
        truncation_mean=truncation_mean,
        noise_mode=noise_mode,
        batch_size=batch_size,
    )
    images = list(generation.generate_images(generator, list(seeds), labels, options))
    return np.stack(images) if images else np.zeros((0, *generator.card.resolution, 3), np.uint8)


def sweep_images(
    generator: ImageGenerator,
    seed: int,
    *,
    steps: int | None = None,
    first: float | None = None,
    last: float | None = None,
    truncation_psi: float = 1.0,
    truncation_cutoff: int | None = None,
    truncation_mean: TruncationMean = "label",
    noise_mode: NoiseMode = "const",
) -> ImageArray:
    """Images uint8 `[num_steps, height, width, 3]` of one seed at increasing density.

    Args:
        generator: a loaded generator.
        seed: random seed.
        steps: number of images; None for one per class, or 7 for continuous labels.
        first: lowest density, for continuous labels only.
        last: highest density, for continuous labels only.
        truncation_psi: 1 turns truncation off.
        truncation_cutoff: number of truncated layers, from the coarsest; None for all.
        truncation_mean: `label` truncates towards the mean latent of the label, `all` towards that of all labels.
        noise_mode: noise inputs of StyleGAN2: `const`, `random` by seed, or `none`.

    Raises:
        ConfigError: the model has no labels, labels that do not match the range, or a backend that does not support
            the options.
    """
    vectors = [step.vector for step in sweep_steps(generator.card, SweepRange(steps=steps, first=first, last=last))]
    options = GenerationOptions(
        truncation_psi=truncation_psi,
        truncation_cutoff=truncation_cutoff,
        truncation_mean=truncation_mean,
        noise_mode=noise_mode,
    )
    return np.stack(list(generation.generate_images(generator, [seed] * len(vectors), vectors, options)))


def mix_images(
    generator: ImageGenerator,
    rows: Sequence[int],
    cols: Sequence[int],
    *,
    styles: Sequence[int] | None = None,
    density: str | float | None = None,
    label: str | int | None = None,
    truncation_psi: float = 1.0,
    truncation_cutoff: int | None = None,
    truncation_mean: TruncationMean = "label",
    batch_size: int = 8,
) -> ImageArray:
    """Style mixing: images uint8 `[num_rows, num_cols, height, width, 3]`, one per pair of seeds.

    Args:
        generator: a loaded generator with intermediate latents.
        rows: random seeds of the rows.
        cols: random seeds of the columns.
        styles: layers taken from the column seeds, from 0 (coarsest); None for the coarse half. The others are taken
            from the row seeds.
        density: class name, or density value for continuous labels.
        label: class index, instead of `density`.
        truncation_psi: 1 turns truncation off.
        truncation_cutoff: number of truncated layers, from the coarsest; None for all.
        truncation_mean: `label` truncates towards the mean latent of the label, `all` towards that of all labels.
        batch_size: images generated at a time; the result does not depend on it.

    Raises:
        ConfigError: the model has no intermediate latents, no such layer or no such label, or needs a label.
        PluginError: the backend breaks its contract.
    """
    options = GenerationOptions(
        truncation_psi=truncation_psi,
        truncation_cutoff=truncation_cutoff,
        truncation_mean=truncation_mean,
        batch_size=batch_size,
    )
    options.check_generator(generator)
    latent_generator = mixing.require_style_mixing(generator)
    layers, vector = mixing.style_layers(styles, latent_generator), _label_vector(generator.card, density, label)
    _, *grid_rows = mixing.mixing_grid(latent_generator, rows, cols, layers, vector, options)
    return np.stack([images[1:] for images in grid_rows])


def project_image(
    generator: ImageGenerator,
    image: ImageArray,
    *,
    density: str | float | None = None,
    label: str | int | None = None,
    space: LatentSpace = "w",
    num_steps: int = ProjectionOptions.num_steps,
    distance_weight: float | None = None,
    tune: bool = False,
    num_tuning_steps: int = TuningOptions.num_tuning_steps,
    seed: int = 0,
    progress: Progress | None = None,
) -> Projection:
    """The latents of a generator whose image is nearest to an image.

    Args:
        generator: a loaded generator with intermediate latents.
        image: uint8 `[height, width, 3]`, of the generator's size.
        density: class name, or density value for continuous labels; without it and `label` it is estimated.
        label: class index, instead of `density`.
        space: `w`, one latent for all layers, or `w+`, one per layer.
        num_steps: steps of the optimisation.
        distance_weight: weight of the distance from the mean latent of the label; None for 1, and with tuning 3.
        tune: whether to tune a copy of the generator on the image.
        num_tuning_steps: steps of the tuning.
        seed: seed of everything random.
        progress: progress display.

    Raises:
        ConfigError: the model has no intermediate latents, no such label, or images of another size.
    """
    latent_generator = require_latents(generator, "projection")
    expected = (*generator.card.resolution, 3)
    if image.shape != expected or image.dtype != np.uint8:
        raise ConfigError(f"the image is {image.dtype} of shape {image.shape}; it must be uint8 of shape {expected}")
    return projections.project_image(
        latent_generator,
        image,
        given_label(generator.card, _conditioning(density, label)),
        options=ProjectionOptions(space=space, num_steps=num_steps, distance_weight=distance_weight, seed=seed),
        tuning=TuningOptions(num_tuning_steps=num_tuning_steps) if tune else None,
        progress=progress,
    )


def edit_density(
    projection: Projection,
    densities: Sequence[str | float],
    *,
    layers: Sequence[int] | None = None,
    strength: float = 1.0,
) -> ImageArray:
    """Images uint8 `[num_densities, height, width, 3]` of a projection with changed density.

    Args:
        projection: a projection; its tuned generator is used if there is one.
        densities: class names, or density values for continuous labels.
        layers: layers that are changed, from 0 (coarsest); None for all.
        strength: factor of the change.

    Raises:
        ConfigError: the model has no labels, no such label, or no such layer.
    """
    if projection.label is None:
        raise ConfigError("the model has no labels, so densities cannot be edited")
    generator = projection.best_generator
    vectors = (_label_vector(generator.card, density, None) for density in densities)
    steps = [density_edit.label_step(generator.card, vector) for vector in vectors if vector is not None]
    options = EditOptions(layers=None if layers is None else tuple(layers), strength=strength)
    return density_edit.edit_image(generator, projection.latent, projection.label, steps, options=options).images


def evaluate_metrics(
    network: PathLike | ImageGenerator | None = None,
    data: PathLike | None = None,
    *,
    against: PathLike | None = None,
    metrics: Sequence[str] | None = None,
    num_images: int | None = None,
    features: str = DEFAULT_EXTRACTOR,
    weights: Mapping[str, PathLike] | None = None,
    mirror: bool = False,
    seed: int = 0,
    batch_size: int = 16,
    device: Device = "auto",
    progress: Progress | None = None,
) -> EvaluationReport:
    """Quality metrics of a model, or of one set of images relative to another.

    Args:
        network: the model file, the name of a pretrained model, or a loaded generator; None to compare two sets of
            images.
        data: real images: a dataset, or a folder or ZIP file of images.
        against: images to compare with `data` instead of generated ones.
        metrics: names of metrics; None for the distances with `features`, and density fidelity.
        num_images: number of generated images; None for that in the definition of each metric, or 1,000.
        features: feature extractor of the default metrics.
        weights: weights files by name of the feature extractor.
        mirror: whether mirrored copies of the real images are added.
        seed: random seed.
        batch_size: images generated and evaluated at a time.
        device: `auto`, `cpu` or `cuda`.
        progress: receives one step per image.

    Raises:
        ConfigError: a metric cannot be computed, or the model has other labels than the dataset.
        CheckpointError: the model or a weights file is damaged.
        DatasetError: images are damaged or have different sizes.
        PluginError: a metric or feature extractor failed.
    """
    from crowdgan_core.metrics import evaluation, opening

    options = EvaluationOptions(
        network=Path(network) if isinstance(network, (str, Path)) else None,
        data=None if data is None else Path(data),
        against=None if against is None else Path(against),
        num_images=num_images,
        features=features,
        weights=tuple(f"{name}={path}" for name, path in (weights or {}).items()),
        mirror=mirror,
        seed=seed,
        batch_size=batch_size,
        device=device,
    )
    plugins = installed_plugins()
    generator = None if isinstance(network, (str, Path)) else network
    with opening.open_inputs(options, plugins, generator) as inputs:
        selection = evaluation.choose_metrics(metrics, inputs, plugins.metrics, features, num_images)
        return evaluation.compute_metrics(inputs, selection, num_images=num_images, progress=progress)


def tile_images(images: ImageArray, columns: int) -> ImageArray:
    """A grid of images `[num_images, height, width, 3]`, row by row: `[rows * height, columns * width, 3]`.

    Raises:
        ConfigError: the number of images is not a multiple of `columns`.
    """
    if columns < 1 or len(images) % columns:
        raise ConfigError(f"{len(images)} images cannot be tiled in rows of {columns}")
    return samples.tile_images(images, (columns, len(images) // columns))


def write_synthetic_dataset(
    dest: PathLike,
    *,
    images: int,
    size: tuple[int, int] = (480, 640),
    seed: int = 0,
    density: tuple[float, float] = (0.08, 4.0),
    workers: int = 1,
    scheduler: str | None = None,
    overwrite: bool = False,
) -> None:
    """Renders synthetic crowds with ground truth, in CrowdHuman layout.

    Args:
        dest: output folder.
        images: number of images.
        size: `(height, width)` in pixels.
        seed: random seed.
        density: range of densities in persons/m².
        workers: worker processes; a script that uses several calls this under `if __name__ == "__main__":`.
        scheduler: Dask scheduler instead of worker processes: its address, `local[N]` or a scheduler file.
        overwrite: whether an earlier synthetic dataset is overwritten.

    Raises:
        ConfigError: a value is out of range.
        DatasetError: `dest` contains other files, exists without `overwrite`, or cannot be written.
    """
    from crowdgan_core.synthetic import SyntheticConfig, writer  # rendering is needed only here

    executor = ParallelOptions(workers=workers, scheduler=scheduler).executor
    config = SyntheticConfig(images=images, size=size, seed=seed, density=density)
    writer.write_synthetic_dataset(config, Path(dest), workers=executor, overwrite=overwrite)


def _label_vector(card: ModelCard, density: str | float | None, label: str | int | None) -> LabelVector | None:
    return label_vector(card, _conditioning(density, label))


def _conditioning(density: str | float | None, label: str | int | None) -> Conditioning:
    return Conditioning(density=None if density is None else str(density), label=None if label is None else str(label))


def _name(source: SourceReader) -> str:
    return source.name if isinstance(source, NamedSource) else repr(source)
