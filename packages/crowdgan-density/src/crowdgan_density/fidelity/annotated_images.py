"""The annotated images of a dataset: a part to fit density predictors to, and a held-out part to test them on."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

import numpy as np

from crowdgan_core.datasets.metadata import ImageRecord
from crowdgan_core.datasets.protocols import DatasetReader
from crowdgan_core.datasets.record_densities import annotated_indices, record_densities
from crowdgan_core.errors import DatasetError
from crowdgan_core.metrics.stored_images import DatasetImages
from crowdgan_core.utils.arrays import FloatArray, IndexArray
from crowdgan_density.fidelity.density_scale import DensityScale, check_annotated, fit_scale
from crowdgan_density.fidelity.image_sets import Requests
from crowdgan_density.fidelity.split import quantile_bounds, split_held_out, stratified_sample

MAX_ANNOTATED_IMAGES = 5000
"""Annotated images that are used at most; more give hardly better predictors and take hours on a CPU."""

MIN_ANNOTATED_IMAGES = 20
"""Minimum number of annotated images."""

NUM_STRATA = 10
"""Density quantiles by which continuous labels are split."""

BATCH_SIZE = 16
"""Images read or measured at a time."""


@dataclass(frozen=True, kw_only=True, eq=False)
class AnnotatedImages:
    """The annotated images of a dataset: a part to fit predictors to, and a held-out part to test them on."""

    scale: DensityScale
    training: DatasetImages
    held_out: DatasetImages
    training_densities: FloatArray
    training_classes: IndexArray
    held_out_requests: Requests
    """Labels of the held-out images."""
    name: str
    notes: tuple[str, ...]


def split_dataset(reader: DatasetReader, *, seed: int = 0) -> AnnotatedImages:
    """The annotated images of a dataset, 20 % of them held out, stratified by class or density.

    Raises:
        DatasetError: no labels, labels that are vectors, too few annotated images, or a class without images.
    """
    metadata, where = reader.metadata, str(reader.path)
    check_annotated(metadata, where)
    known = annotated_indices(metadata)
    if len(known) < MIN_ANNOTATED_IMAGES:
        raise DatasetError(f"{where}: {len(known)} images with a density; at least {MIN_ANNOTATED_IMAGES} are needed")
    used = known[stratified_sample(_strata(reader, known), MAX_ANNOTATED_IMAGES, seed=seed)]
    training, held_out = (used[part] for part in split_held_out(_strata(reader, used), seed=seed))
    training_records, held_out_records = _records(reader, training), _records(reader, held_out)
    single_class = f"{where}: nearly all densities are equal or of a single class; at least 2 classes are needed"
    if len(np.unique(record_densities(training_records))) < 2:
        raise DatasetError(single_class)
    scale = fit_scale(metadata, training_records)
    if min(len(scale.classes), len(scale.requests)) < 2:
        raise DatasetError(single_class)
    classes = scale.record_classes(held_out_records)
    missing = [name for index, name in enumerate(scale.classes) if index not in classes]
    if missing:
        raise DatasetError(f"{where}: fewer than 2 images of class {', '.join(missing)}; no class may be empty")
    return AnnotatedImages(
        scale=scale,
        training=DatasetImages(reader, training.tolist()),
        held_out=DatasetImages(reader, held_out.tolist()),
        training_densities=record_densities(training_records),
        training_classes=scale.record_classes(training_records),
        held_out_requests=Requests(
            latents=np.arange(len(held_out)),
            densities=record_densities(held_out_records),
            classes=classes,
            names=tuple(record.name for record in held_out_records),
        ),
        name=reader.path.name,
        notes=(f"{len(used)} of {len(known)} annotated images were used",) if len(used) < len(known) else (),
    )


def remove_copies(annotated: AnnotatedImages) -> AnnotatedImages:
    """The annotated images without training images that are equal to a held-out image, or to its mirror image.

    A predictor that was fitted to them would score too high on held-out images.

    Raises:
        DatasetError: the other training images have the same density.
    """
    held_out = set(_pixel_hashes(annotated.held_out))
    is_kept = np.array([key not in held_out for key in _pixel_hashes(annotated.training)])
    if is_kept.all():
        return annotated
    densities, num_copies = annotated.training_densities[is_kept], int(np.count_nonzero(~is_kept))
    if len(np.unique(densities)) < 2:
        raise DatasetError(f"{annotated.name}: nearly all images are copies of each other; remove the copies")
    indices = np.array(annotated.training.indices)[is_kept]
    return replace(
        annotated,
        training=DatasetImages(annotated.training.reader, indices.tolist()),
        training_densities=densities,
        training_classes=annotated.training_classes[is_kept],
        notes=(*annotated.notes, f"{num_copies} training images are copies of held-out images and were not used"),
    )


def _pixel_hashes(images: DatasetImages) -> list[bytes]:
    """A hash of the pixels of each image, the same for its mirror image."""
    pairs = ((image.tobytes(), image[:, ::-1].tobytes()) for batch in images.batches(BATCH_SIZE) for image in batch)
    return [hashlib.sha256(min(pair)).digest() for pair in pairs]


def _records(reader: DatasetReader, indices: IndexArray) -> list[ImageRecord]:
    return [reader.metadata.images[index] for index in indices]


def _strata(reader: DatasetReader, indices: IndexArray) -> IndexArray:
    """Class of each image, or the quantile of its density for continuous labels."""
    records = _records(reader, indices)
    if reader.metadata.label_kind == "class":
        return np.array([record.label for record in records], np.intp)
    densities = record_densities(records)
    return np.searchsorted(quantile_bounds(densities, NUM_STRATA), densities, side="right")
