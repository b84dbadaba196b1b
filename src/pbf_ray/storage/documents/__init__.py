"""Stores of documents: JSON objects by collection and id."""

from pbf_ray.storage.documents.base import Document, DocumentStore, StoredDocument

__all__ = ["Document", "DocumentStore", "StoredDocument"]
