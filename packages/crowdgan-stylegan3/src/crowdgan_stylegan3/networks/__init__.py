"""The networks: mapping, both synthesis networks, the discriminator, and what they are made of.

Modules and parameters have the names of the published networks, so that their weights can be exchanged.
"""
