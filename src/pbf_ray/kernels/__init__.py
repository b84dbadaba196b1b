"""Numba kernels over NumPy arrays, each with a plain Python reference written for reading.

Importing a kernel's module is cheap; its machine code is loaded (or compiled, once per machine)
by the first call. ``*_reference`` modules share no code with the kernels they describe.
"""
