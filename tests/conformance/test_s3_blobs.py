from __future__ import annotations

from pathlib import Path

import pytest

from pbf_ray.storage.blobs import BlobStore
from pbf_ray.storage.blobs.s3 import S3Blobs
from services.seaweedfs import S3Server
from support.blob_suite import BlobSuite
from support.databases import s3_blobs

pytestmark = [pytest.mark.integration, pytest.mark.slow]


class TestS3Blobs(BlobSuite):
    @pytest.fixture(autouse=True)
    def _server(self, s3_server: S3Server) -> None:
        self.server = s3_server

    def open_store(self, place: Path) -> S3Blobs:
        return s3_blobs(self.server, place)

    def damage(self, store: BlobStore, key: str) -> None:
        assert isinstance(store, S3Blobs)
        client = self.server.client()
        place = {"Bucket": self.server.bucket, "Key": f"{store.address.prefix}/{key}"}
        there = client.get_object(**place)
        data = bytearray(there["Body"].read())
        data[len(data) // 2] ^= 1
        client.put_object(
            **place, Body=data, Metadata=there["Metadata"], ContentType=there["ContentType"]
        )

    def leftovers(self, store: BlobStore) -> list[str]:
        assert isinstance(store, S3Blobs)
        found = self.server.client().list_multipart_uploads(
            Bucket=self.server.bucket, Prefix=f"{store.address.prefix}/"
        )
        return [upload["Key"] for upload in found.get("Uploads", [])]
