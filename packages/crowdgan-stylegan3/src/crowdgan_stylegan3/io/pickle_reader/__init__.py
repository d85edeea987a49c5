"""Official snapshots of StyleGAN3 and StyleGAN2-ADA (PyTorch): pickles, read without executing anything in them.

Python's unpickler imports and calls what a file names. This reader interprets the opcodes of the file itself
(`interpreter`) and builds plain values and inert records. A name in the file must be in an allowlist (`allowlist`),
which maps it to a function of this package. Nothing is imported by name, and torch is not needed.

Source: ours, from the format of such files: Python's `pickletools` documents the opcodes, `torch.save` the tensors. A
network is one record with the name of its class and its attributes, see `module_records`.
"""

from crowdgan_stylegan3.io.pickle_reader.snapshot_networks import NetworkRecord, read_networks

__all__ = ["NetworkRecord", "read_networks"]
