"""The command line: a thin door over the public API, one module per command."""

__all__: list[str] = []
