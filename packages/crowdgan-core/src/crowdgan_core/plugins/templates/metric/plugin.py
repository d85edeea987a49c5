import numpy as np

from crowdgan_core.hookspecs import hookimpl
from crowdgan_core.metrics.metric import MetricValue


class BrightnessDifference:
    """Absolute difference of mean brightness, in grey levels."""

    name = "example-plugin"
    description = "difference of the mean brightness in grey levels; lower is better"
    higher_is_better = False

    def unavailable_reason(self, inputs):
        if inputs.real is None or inputs.generated is None:
            return "it compares generated with real images: pass --data, and --network or --against"
        return None

    def compute(self, inputs, progress):
        real, generated = (self._brightness(images, inputs, progress) for images in (inputs.real, inputs.generated))
        return {self.name: MetricValue(abs(real - generated))}

    def _brightness(self, images, inputs, progress):
        progress.start(f"brightness: {images.description}", len(images))
        means = []
        for batch in images.batches(inputs.batch_size):  # uint8 [num_images, height, width, 3]
            means += [float(image.mean()) for image in batch]
            for _ in batch:
                progress.advance()
        return float(np.mean(means))


@hookimpl
def crowdgan_register_metrics():
    return [BrightnessDifference()]
