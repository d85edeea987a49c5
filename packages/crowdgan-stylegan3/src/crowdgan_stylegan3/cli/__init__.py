"""The commands under `crowdgan stylegan3`: one file each. Importing them loads no torch."""
