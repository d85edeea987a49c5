"""View of a dataset: its images with densities and classes, filtered and sorted, with people's boxes and estimates."""
