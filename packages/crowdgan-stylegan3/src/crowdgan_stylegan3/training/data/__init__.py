"""Training data: images, labels and their order."""
