"""The official snapshots of StyleGAN3 and StyleGAN2-ADA (PyTorch): pickles, read without running anything in them.

Python's own unpickler calls what a file names. Here a machine of ours follows the file's opcodes (`machine`) and builds
plain values and inert records of them; each name that a file asks for must be in a table of ours (`names`), and stands
there for a function of ours. Nothing is imported by name, and torch is not needed.

Source: ours, from the form of such files: Python's `pickletools` describes the opcodes, `torch.save` the tensors in
them; a network is one record that holds its class's name and its attributes, see `networks`.
"""

from crowdgan_stylegan3.io.pickle_reader.snapshot_networks import NetworkRecord, read_networks

__all__ = ["NetworkRecord", "read_networks"]
