"""Figures of dataset labels."""
