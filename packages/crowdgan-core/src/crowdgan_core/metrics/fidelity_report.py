"""The report of density fidelity: requested against measured density, and its JSON file."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from crowdgan_core.errors import DatasetError
from crowdgan_core.io import codec
from crowdgan_core.metrics.metric import MetricValue

FORMAT_VERSION = 1
"""Version of the report; other versions are an error."""

REPORT_NAME = "density-fidelity.json"
"""File name of the report."""


@dataclass(frozen=True, kw_only=True)
class FidelityScores:
    """Agreement of requested and measured density in one set of images.

    Label units are classes for class labels, and the unit of the density for continuous labels.
    """

    num_images: int

    accuracy: MetricValue
    """Mean over the requested classes of the fraction measured in the requested class; higher is better."""

    recall: tuple[float | None, ...]
    """Fraction of each requested class that is measured in it; None for a class without images."""

    confusion: tuple[tuple[int, ...], ...]
    """Number of images by requested class (row) and measured class (column)."""

    mae: MetricValue
    """Mean absolute error in label units; lower is better. For densities it is the label score of CcGAN."""

    slope: float | None
    """Slope of the least-squares line of measured on requested label, 1 if faithful; None for one requested label."""

    bias: tuple[float | None, ...]
    """Mean of measured minus requested label for each requested class, in label units."""

    spearman: MetricValue | None
    """Spearman's rank correlation of requested label and measured density; None if either is constant."""

    ordering: MetricValue | None
    """Fraction of pairs with different labels in which the image with the higher label has the higher measured density.

    Ties count as a half; chance is 0.5. Pairs of generated images have the same latent; real pairs are of all images.
    None without such pairs.
    """


@dataclass(frozen=True, kw_only=True)
class Sensitivity:
    """Change of the predictions when real images are blurred or get noise, in classes; below 0.5 is acceptable."""

    blur_sigma_px: float
    """Standard deviation of the Gaussian blur in pixels."""

    blur_change: float
    """Mean absolute change after the blur."""

    noise_sigma: float
    """Standard deviation of the Gaussian noise in grey levels."""

    noise_change: float
    """Mean absolute change after adding noise."""


@dataclass(frozen=True, kw_only=True)
class PredictorReport:
    """Results of one predictor."""

    name: str
    description: str

    held_out: FidelityScores
    """Floor: the scores of the predictor on real images that it was not fitted to."""

    generated: FidelityScores

    excess_accuracy: MetricValue
    """Accuracy on generated images minus the floor; negative if generated images are worse than real ones."""

    control_accuracy: float
    """Mean accuracy on generated images after random permutations of the requests."""

    chance_accuracy: float
    """Accuracy of a generator that ignores the request: 1 / number of requested classes."""

    held_out_control_spearman: float
    """99th percentile of the rank correlation on real images after random permutations of their labels."""

    sensitivity: Sensitivity

    void_reasons: tuple[str, ...]
    """Reasons why the scores have no meaning; empty if they are valid."""

    warnings: tuple[str, ...]
    """Limits of the scores."""

    @property
    def is_void(self) -> bool:
        """Whether the scores have no meaning."""
        return bool(self.void_reasons)


@dataclass(frozen=True, kw_only=True)
class PredictorAgreement:
    """Agreement of two predictors on the same images."""

    names: tuple[str, str]

    generated_same_class: float
    """Fraction of generated images that both measure in the same class."""

    held_out_same_class: float
    """The same fraction of held-out real images."""

    generated_spearman: float | None
    """Rank correlation of the two measured densities of generated images; None if one is constant."""

    excess_difference: float
    """Absolute difference of their excesses over the floor."""

    agree: bool
    """Whether this difference can be explained by the sampling error."""


@dataclass(frozen=True, kw_only=True)
class IntraClassDistance:
    """Kernel distance (KID) between real and generated images of one class."""

    class_name: str
    num_real: int
    num_generated: int
    distance: MetricValue | None
    """Not multiplied by 1000; lower is better. None if there are too few images."""

    reason: str | None
    """The reason why it was not computed."""


@dataclass(frozen=True, kw_only=True)
class MeasuredImage:
    """One image with its requested and measured label."""

    name: str
    """`seed 17` for a generated image, otherwise the name in the dataset."""

    requested_class: int

    requested: float
    """Requested label: the class index, or the density."""

    measured: tuple[float, ...]
    """Measured density, one number per predictor."""


@dataclass(frozen=True, kw_only=True)
class FidelityReport:
    """Density fidelity of a generator: requested against measured density."""

    data: str
    """Name of the annotated dataset."""

    images: str
    """Name of the model, or of the dataset whose images were measured."""

    label_kind: Literal["class", "value"]

    unit: str

    classes: tuple[str, ...]
    """Names of the classes by increasing density; windows of densities for continuous labels."""

    class_bounds: tuple[float, ...]
    """Densities at which the class changes, one fewer than classes."""

    log_offset: float
    """Predictors are fitted to log(density + log_offset)."""

    seed: int
    truncation_psi: float | None
    """Truncation of the generated images; None for images of a dataset."""

    num_training: int
    num_held_out: int

    predictors: tuple[PredictorReport, ...]

    unavailable: tuple[str, ...]
    """Predictors that could not be used, each with the reason."""

    agreement: PredictorAgreement | None
    """None with fewer than two valid predictors."""

    intra_class_extractor: str | None
    """Feature extractor of the distances within classes; None if none is installed."""

    intra_class: tuple[IntraClassDistance, ...]

    measured: tuple[MeasuredImage, ...]
    """Generated images."""

    held_out: tuple[MeasuredImage, ...]
    """Real images that the predictors were not fitted to."""

    notes: tuple[str, ...]
    """Limits of the whole report."""

    @property
    def headline(self) -> PredictorReport | None:
        """The valid predictor with the lowest accuracy relative to its floor; None if all scores are void."""
        valid = [item for item in self.predictors if not item.is_void]
        return min(valid, key=lambda item: item.excess_accuracy.value) if valid else None

    def to_json(self) -> dict[str, Any]:
        """JSON-ready values, starting with the format version."""
        return {"format": FORMAT_VERSION, **codec.to_json(self)}


def encode_report(report: FidelityReport) -> bytes:
    """The JSON file of a report."""
    return json.dumps(report.to_json(), indent=1, allow_nan=False).encode()


def read_report(path: Path) -> FidelityReport:
    """The report in a JSON file.

    Raises:
        DatasetError: the file cannot be read, is not a report, or has another format version.
    """
    try:
        data = codec.loads_strict(path.read_bytes())
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read ({error.strerror})") from error
    except (ValueError, RecursionError) as error:
        raise DatasetError(f"{path}: not valid JSON ({error})") from error
    if not isinstance(data, dict) or "format" not in data:
        raise DatasetError(f"{path}: not a density fidelity report; write one with `crowdgan metrics density`")
    if data["format"] != FORMAT_VERSION:
        raise DatasetError(f"{path}: report of format {data['format']!r}; this version reads format {FORMAT_VERSION}")
    values = {key: value for key, value in data.items() if key != "format"}
    return codec.from_json(FidelityReport, values, str(path), DatasetError)
