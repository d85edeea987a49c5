"""Density estimators in the image plane, without a physical scale."""
