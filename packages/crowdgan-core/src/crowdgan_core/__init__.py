"""The core of crowdgan: data types, plugin contract, dataset pipeline and the command `crowdgan`."""
