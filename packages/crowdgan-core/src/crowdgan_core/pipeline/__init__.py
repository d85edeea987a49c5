"""The pipeline from a source of annotated images to a training dataset."""
