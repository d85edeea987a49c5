"""Metrics that need the generator or PyTorch: equivariance, perceptual path length, and feature extractors."""
