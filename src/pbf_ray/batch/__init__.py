"""Pipelines over files: a reader, functions from table to table, a writer; on three engines."""
