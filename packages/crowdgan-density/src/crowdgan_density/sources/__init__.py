"""Sources that read head-point datasets."""
