"""The environment of training: distributed ranks, random number streams, signals, cuDNN."""
