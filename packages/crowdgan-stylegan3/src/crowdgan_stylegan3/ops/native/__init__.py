"""The ops in C++ with OpenMP, for float32 on a CPU: built on first use (`build`), called by pointers (`library`)."""
