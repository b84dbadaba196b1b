"""Stores: tables with atomic, idempotent epochs, and the layout that routes tables to them."""
