"""Evaluation of density estimators against ground truth."""
