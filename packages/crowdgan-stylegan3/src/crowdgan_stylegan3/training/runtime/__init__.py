"""Environment of training: ranks, RNG streams, device transfers, termination signals, cuDNN flags."""
