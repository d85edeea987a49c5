"""Figures of the labels of datasets."""
