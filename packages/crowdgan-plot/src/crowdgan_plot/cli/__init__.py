"""Commands of `crowdgan plot`."""
