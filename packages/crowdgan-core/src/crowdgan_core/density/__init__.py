"""The contract of density estimators: estimates, options and overlay layers."""
