"""The networks: mapping, both synthesis networks, the discriminator, and their layers.

Modules and parameters have the names of the published networks, so that weights are interchangeable.
"""
