"""Stores of blobs: images, volumes, files of rows and reports."""

from pbf_ray.storage.blobs.base import BlobInfo, BlobStore, check_content_type, check_key

__all__ = ["BlobInfo", "BlobStore", "check_content_type", "check_key"]
