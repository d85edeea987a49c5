"""The configuration of training. No module of this package imports torch."""
