"""Opens the model, datasets and weights of an evaluation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

from crowdgan_core.datasets.format_lookup import open_dataset
from crowdgan_core.datasets.protocols import DatasetReader
from crowdgan_core.errors import ConfigError
from crowdgan_core.metrics.extractor import FeatureExtractor
from crowdgan_core.metrics.generated_images import check_labels
from crowdgan_core.metrics.inputs import EvaluationInputs
from crowdgan_core.metrics.options import DEFAULT_NUM_IMAGES, EvaluationOptions
from crowdgan_core.metrics.stored_images import DatasetImages, SourceImages, StoredImages
from crowdgan_core.models.backend import ImageGenerator
from crowdgan_core.models.loading import load_generator
from crowdgan_core.models.pretrained import find_model
from crowdgan_core.plugins.registry import PluginRegistry
from crowdgan_core.sources.dataset import DatasetSource
from crowdgan_core.sources.detection import find_source, open_source


@contextmanager
def open_inputs(
    options: EvaluationOptions, plugins: PluginRegistry, generator: ImageGenerator | None = None
) -> Iterator[EvaluationInputs]:
    """The inputs of metrics; datasets are closed at the end of the context.

    Args:
        options: paths and numbers.
        plugins: the installed plugins.
        generator: a loaded generator, instead of the model file in `options`.

    Raises:
        CheckpointError: the model cannot be loaded.
        ConfigError: the device is not available, the model has other labels than the dataset, or a weights file
            belongs to no feature extractor.
        DatasetError: a dataset is missing, damaged or empty.
    """
    extractors = plugins.feature_extractors
    weights = match_weights(options.weights, options.features, extractors)
    with ExitStack() as stack:
        real = against = dataset = None
        if options.data is not None:
            real, dataset = _open_images(options.data, plugins, stack, mirror=options.mirror)
        if options.against is not None:
            against, _ = _open_images(options.against, plugins, stack, mirror=False)
        if options.network is not None:
            check = None if dataset is None else partial(check_labels, dataset)
            network = find_model(options.network, plugins)
            generator = load_generator(network, plugins.model_backends, options.device, check=check)
        elif generator is not None and dataset is not None:
            check_labels(dataset, generator.card)
        yield EvaluationInputs(
            real=real,
            dataset=dataset,
            generator=generator,
            generator_name="generated images" if options.network is None else str(options.network),
            compared=against,
            num_images=options.num_images or DEFAULT_NUM_IMAGES,
            seed=options.seed,
            device=options.device,
            batch_size=options.batch_size,
            extractors=extractors,
            weights=weights,
        )


def match_weights(
    texts: Sequence[str], features: str, extractors: Mapping[str, type[FeatureExtractor]]
) -> dict[str, Path]:
    """Weights files by the name of their extractor.

    Args:
        texts: `NAME=FILE`; or `FILE` with the file name that an extractor states, or for the extractor `features`.
        features: name of the extractor of the default metrics.
        extractors: feature extractor classes by name.

    Raises:
        ConfigError: no such extractor, or a file without name that no extractor states.
    """
    needed = {name: cls.weights_file.name for name, cls in extractors.items() if cls.weights_file is not None}
    weights: dict[str, Path] = {}
    for text in texts:
        name, _, file = text.partition("=")
        if name not in extractors:
            file = text
            candidates = [key for key, value in needed.items() if value == Path(text).name]
            name = candidates[0] if len(candidates) == 1 else features
        if name not in needed or not file:
            files = "; ".join(f"{key}: {value}" for key, value in needed.items()) or "none is installed"
            raise ConfigError(f"--weights {text}: write NAME=FILE, NAME an extractor that needs weights ({files})")
        weights[name] = Path(file)
    return weights


def _open_images(
    path: Path, plugins: PluginRegistry, stack: ExitStack, *, mirror: bool
) -> tuple[StoredImages, DatasetReader | None]:
    """The images at a path, and their dataset; None for images without labels."""
    sources = plugins.scene_sources
    if isinstance(find_source([path], None, None, sources), DatasetSource):
        dataset = stack.enter_context(open_dataset(path, plugins.dataset_formats.values()))
        return DatasetImages(dataset, mirror=mirror), dataset
    source, name = open_source([path], None, None, sources)
    return SourceImages(source, name, mirror=mirror), None
