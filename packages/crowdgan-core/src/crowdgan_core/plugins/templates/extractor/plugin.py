import numpy as np

from crowdgan_core.hookspecs import hookimpl
from crowdgan_core.metrics.extractor import FeatureExtractor


class MeanColours(FeatureExtractor):
    """Mean colours of the cells of an 8x8 grid."""

    name = "example-plugin"
    description = "mean colours of an 8x8 grid; no weights"
    weights_file = None  # or a WeightsFile(name, sha256, source) that users pass by --weights example-plugin=FILE

    @classmethod
    def load(cls, weights=None, device="auto"):
        return cls()

    @property
    def fingerprint(self):  # change it whenever the features change: the key of cached features
        return "mean-colours 1"

    def features(self, images):  # uint8 [num_images, height, width, 3] -> float32 [num_images, num_features]
        rows = np.array_split(images.astype(np.float32), 8, axis=1)
        cells = [cell.mean(axis=(1, 2)) for row in rows for cell in np.array_split(row, 8, axis=2)]
        return np.concatenate(cells, axis=1)


@hookimpl
def crowdgan_register_feature_extractors():
    return [MeanColours]
