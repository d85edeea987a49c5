"""Datasets in shards: a folder of tar archives with an index, readable by `webdataset` and by `tar`."""
