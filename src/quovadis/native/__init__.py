"""The project's own kernels: C++ compiled when the package is installed, found and called through `ctypes`."""
