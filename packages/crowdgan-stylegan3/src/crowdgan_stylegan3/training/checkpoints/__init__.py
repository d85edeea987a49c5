"""Checkpoints: save and restore training, initialise from a model, export one network."""
