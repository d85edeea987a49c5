"""Image generation with trained models: conditioning, sampling, sweeps, and the files that are written."""
