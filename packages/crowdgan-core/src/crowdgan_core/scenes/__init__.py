"""Annotated images: scenes, cameras, and crops of images with their boxes."""
