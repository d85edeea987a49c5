"""Curves of training statistics."""
