"""Training data: images, labels and the order of the images."""
