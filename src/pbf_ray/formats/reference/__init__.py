"""Readers in plain Python, written to be obviously right: what the C++ core is held against.

Each takes the bytes of a file and gives a ``ReferenceBuild``; the first damage is an error. They
know nothing of the core, and are no way to read files of the size that machines get.
"""
