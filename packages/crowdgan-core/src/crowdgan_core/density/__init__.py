"""The density estimator contract: estimates, options and overlay layers."""
