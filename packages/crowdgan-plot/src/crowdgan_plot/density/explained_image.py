"""An image with its density estimate and the layers that explain it."""

from __future__ import annotations

from dataclasses import dataclass

from crowdgan_core.density.checked_calls import estimate_scene, exact_class_bounds, explain_scene
from crowdgan_core.density.estimator import DensityEstimate, DensityEstimator
from crowdgan_core.density.layers import Layer
from crowdgan_core.errors import DensityError
from crowdgan_core.scenes.scene import Scene
from crowdgan_core.utils.arrays import ImageArray


@dataclass(frozen=True, kw_only=True, eq=False)
class ExplainedImage:
    """An image with its people, density estimate and layers."""

    image: ImageArray
    """`[height, width, 3]`, of the scene's size."""
    scene: Scene
    estimator_name: str
    classes: tuple[str, ...]
    """Classes of the estimator."""
    class_noun: str
    """`level` if the classes are those of a published scale, else `class`."""
    estimate: DensityEstimate
    layers: tuple[Layer, ...]

    def layers_in(self, space: str) -> list[Layer]:
        """The layers of one space, `image` or `ground`, in their order."""
        return [layer for layer in self.layers if layer.space == space]


def explain_image(
    image: ImageArray, scene: Scene, estimator: DensityEstimator, estimate: DensityEstimate | None = None
) -> ExplainedImage:
    """The estimate and layers of a fitted estimator for an image; `estimate` if it is already known.

    If the estimator raises a `DensityError`, the estimate is unknown with its message as the reason.
    """
    layers: tuple[Layer, ...] = ()
    try:
        estimate = estimate if estimate is not None else estimate_scene(estimator, scene)
        layers = explain_scene(estimator, scene)
    except DensityError as error:
        estimate = estimate or DensityEstimate.unknown(estimator.unit, str(error))
    bounds = exact_class_bounds(estimator)
    return ExplainedImage(
        image=image,
        scene=scene,
        estimator_name=estimator.name,
        classes=tuple(estimator.classes),
        class_noun="class" if bounds is None or bounds.scale is None else "level",
        estimate=estimate,
        layers=layers,
    )
