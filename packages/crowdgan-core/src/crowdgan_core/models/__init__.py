"""Trained models: model cards, the contract of backends, loading and generation."""
