"""The ops in C++ with OpenMP, for float32 on a CPU: compiled on first use (`build`), called via ctypes (`library`)."""
