"""Trained models: model cards, the backend contract, loading and generation."""
