"""Density estimators in persons/m² on the ground, by a calibrated camera."""
