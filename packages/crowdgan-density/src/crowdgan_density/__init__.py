"""Crowd-density estimators for crowdgan, and readers of head-point datasets."""
