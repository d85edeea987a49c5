"""View of a model: images by seed and density."""
