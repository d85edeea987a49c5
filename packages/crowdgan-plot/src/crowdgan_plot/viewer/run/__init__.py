"""View of a training run: losses, scores, sample grids over time, and the newest snapshot."""
