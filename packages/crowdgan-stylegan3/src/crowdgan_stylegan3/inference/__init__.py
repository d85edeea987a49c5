"""Use of models: images by seed, videos, and generators with random weights."""
