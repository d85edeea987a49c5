"""Density fidelity: whether generated images have the density that was requested, measured by density predictors."""
