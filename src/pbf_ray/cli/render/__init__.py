"""What people see: plain data in, text of a given width out."""

__all__: list[str] = []
