"""Quality metrics of images: distances between sets of image features, and the contracts of metrics and extractors."""
