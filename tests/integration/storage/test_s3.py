"""Blobs in S3 beside what all stores of blobs pass: what others see, refusals, outages."""

from __future__ import annotations

import pickle
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from pbf_ray.errors import StoreContentError, StoreError, StoreUnavailableError
from pbf_ray.storage.blobs.s3 import S3Blobs
from pbf_ray.storage.blobs.s3_client import S3Address
from pbf_ray.storage.retry import RetryPolicy, retry_transient
from services.seaweedfs import S3Server
from support.blob_suite import content
from support.databases import s3_address, s3_blobs


@pytest.fixture
def store(s3_server: S3Server, tmp_path: Path) -> Iterator[S3Blobs]:
    with s3_blobs(s3_server, tmp_path) as store:
        yield store


def test_what_others_see_and_what_others_wrote(s3_server: S3Server, tmp_path: Path) -> None:
    other = s3_server.client()
    address = s3_address(s3_server, prefix=f"/{tmp_path.name}/", storage_class="STANDARD_IA")
    with S3Blobs(address) as store:
        assert (
            store.name == f"s3://127.0.0.1:{s3_server.endpoint[-5:]}/pbf-lbm-data/{tmp_path.name}"
        )
        put = store.put("scans/7.png", b"pixels", content_type="image/png")
        place = {"Bucket": s3_server.bucket, "Key": f"{tmp_path.name}/scans/7.png"}
        seen = other.get_object(**place)
        assert seen["Body"].read() == b"pixels"
        assert seen["ContentType"] == "image/png"
        assert seen["StorageClass"] == "STANDARD_IA"
        assert seen["Metadata"]["sha256"] == put.sha256
        other.put_object(**{**place, "Key": f"{tmp_path.name}/foreign"}, Body=b"theirs")
        assert store.get("foreign") == b"theirs"
        foreign = store.info("foreign")
        assert foreign is not None
        assert (foreign.size, foreign.sha256) == (6, "")
        other.put_object(**{**place, "Key": f"{tmp_path.name}/scans/"}, Body=b"")
        store.check()
        store.put("foreign", b"theirs")
        assert store.info("foreign") != foreign, "now its checksum is known"
        assert list(store.keys()) == ["foreign", "scans/7.png"]
    with pytest.raises(StoreContentError, match="longer than the 1024 bytes"):
        S3Blobs(s3_address(s3_server, prefix="p" * 200)).put("k/" * 440 + "k", b"")


def test_refusals_say_what_to_do_and_show_no_secret(s3_server: S3Server) -> None:
    def problem(**more: Any) -> StoreError:
        with S3Blobs(s3_address(s3_server, timeout_s=5.0, **more)) as store:
            for call in (store.check, lambda: store.put("a", b"1"), lambda: store.info("a")):
                with pytest.raises(StoreError) as caught:
                    call()
            assert_hidden(store, caught.value)
        return caught.value

    def assert_hidden(store: S3Blobs, error: StoreError) -> None:
        for text in (str(error), repr(error.facts), repr(store), repr(store.address), store.name):
            for secret in (s3_server.secret_key, s3_server.access_key, "wrong-secret", "hidden"):
                assert secret not in text

    wrong = problem(secret_key="wrong-secret")  # noqa: S106
    assert "check access key and secret key" in str(wrong)
    unknown = problem(access_key="hidden-access")
    assert "check access key and secret key" in str(unknown)
    nowhere = problem(bucket="nowhere")
    assert "create the bucket" in str(nowhere)
    away = problem(endpoint="http://127.0.0.1:9")
    assert isinstance(away, StoreUnavailableError)
    assert "see that the server runs" in str(away)
    assert [error.transient for error in (wrong, unknown, nowhere)] == [False] * 3


def test_a_bucket_is_made_only_where_that_is_asked_for(s3_server: S3Server) -> None:
    address = s3_address(s3_server, bucket="made-here")
    with S3Blobs(address) as store, pytest.raises(StoreError, match="no such bucket"):
        store.check()
    with S3Blobs(address, make_bucket=True) as asked:
        asked.put("a", b"1")
    with S3Blobs(address, make_bucket=True) as again:
        again.check()
        assert again.get("a") == b"1"


def test_unfinished_uploads_are_swept(store: S3Blobs, s3_server: S3Server) -> None:
    other = s3_server.client()
    prefix = store.address.prefix
    for key in (f"{prefix}/mine", f"{prefix}/mine too", "outside"):
        other.create_multipart_upload(Bucket=s3_server.bucket, Key=key)
    assert list(store.keys()) == []
    assert store.sweep() == 0, "the writers of young ones may be alive"
    assert store.sweep(older_than_s=-60, dry_run=True) == 2
    assert store.sweep(older_than_s=-60) == 2
    assert store.sweep(older_than_s=-60) == 0
    left = other.list_multipart_uploads(Bucket=s3_server.bucket).get("Uploads", [])
    assert "outside" in [upload["Key"] for upload in left]


def test_an_answer_that_was_lost_is_no_failure(
    store: S3Blobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = store._client.call

    def twice(method: str, **arguments: Any) -> Any:
        if method == "complete_multipart_upload":
            call(method, **arguments)
            raise StoreError(store.name, "CompleteMultipartUpload", code="NoSuchUpload", status=404)
        return call(method, **arguments)

    monkeypatch.setattr(store._client, "call", twice)
    data = content(3, 20 << 20)
    put = store.put("big", iter([data]))
    assert store.info("big") == put
    assert store.get("big") == data


def test_a_part_that_fails_leaves_nothing(
    store: S3Blobs, s3_server: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = store._client.call

    def failing(method: str, **arguments: Any) -> Any:
        if arguments.get("PartNumber") == 3:
            raise StoreUnavailableError(store.name, "away")
        return call(method, **arguments)

    store.put("big", b"old")
    monkeypatch.setattr(store._client, "call", failing)
    with pytest.raises(StoreUnavailableError):
        store.put("big", iter([content(4, 40 << 20)]))
    monkeypatch.undo()
    assert store.get("big") == b"old"
    found = s3_server.client().list_multipart_uploads(
        Bucket=s3_server.bucket, Prefix=store.address.prefix
    )
    assert not found.get("Uploads")


def test_a_server_that_is_killed_and_comes_back(own_s3_server: S3Server) -> None:
    """Writers and readers try again, and all that was acknowledged is there."""
    written: list[int] = []
    stop = threading.Event()
    policy = RetryPolicy(limit_s=120.0, longest_pause_s=0.5)
    store = S3Blobs(s3_address(own_s3_server, prefix="p", timeout_s=10.0))
    failures: list[str] = []

    def write() -> None:
        number = 0
        while not stop.is_set():
            data = content(number, 200_000)
            retry_transient(
                lambda data=data, number=number: store.put(f"blob/{number:04d}", data),
                policy,
                on_retry=lambda error, _: failures.append(str(error)),
            )
            written.append(number)
            number += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for halt in (own_s3_server.kill, own_s3_server.stop):
            _until_longer(written, 10)
            halt()
            _until_longer(failures, 1)
            own_s3_server.start()
        _until_longer(written, 10)
    finally:
        stop.set()
        writer.join()
    assert own_s3_server.secret_key not in "".join(failures)
    sent: S3Blobs = pickle.loads(pickle.dumps(store))  # noqa: S301 - our own bytes
    with sent, store:
        assert list(sent.keys()) == [f"blob/{number:04d}" for number in written]
        for number in written:
            assert sent.get(f"blob/{number:04d}") == content(number, 200_000)


def _until_longer(growing: Sequence[object], by: int, deadline_s: float = 180.0) -> None:
    goal, end = len(growing) + by, time.monotonic() + deadline_s
    while len(growing) < goal:
        assert time.monotonic() < end, f"not in {deadline_s} s"
        time.sleep(0.02)


def test_without_an_endpoint_it_is_aws() -> None:
    store = S3Blobs(S3Address("bucket", prefix="a/b"))
    assert store.name == "s3://bucket/a/b"
    with pytest.raises(StoreContentError, match="cannot be the key"):
        S3Blobs(S3Address("bucket", prefix="a//b"))
    for endpoint in ("localhost:9000", "http://user:hidden@host:9000", "ftp://host", ""):
        with pytest.raises(StoreError, match="not the URL of a server") as caught:
            S3Address("bucket", endpoint=endpoint)
        assert "hidden" not in str(caught.value)


def test_no_room_for_what_is_gathered(
    store: S3Blobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    with pytest.raises(StoreUnavailableError, match="set TMPDIR"):
        store.put("a", iter([b"1"]))
    store.put("a", b"1")
