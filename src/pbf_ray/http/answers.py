"""Answers with ETags, kept for a while, compressed as the client likes."""

from __future__ import annotations

import hashlib
import threading
import zlib
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Final

import orjson
import pyarrow as pa
from fastapi import Request
from fastapi.responses import Response

__all__ = ["ARROW_STREAM", "JSON", "AnswerCache", "accepts", "arrow_bytes", "json_bytes"]

JSON: Final = "application/json"
ARROW_STREAM: Final = "application/vnd.apache.arrow.stream"
_WORTH_COMPRESSING: Final = 1024
_ENCODINGS: Final = ("zstd", "gzip")


def json_bytes(values: Any) -> bytes:
    """JSON in UTF-8; NaN and infinities become null, NumPy arrays lists."""
    return orjson.dumps(values, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS)


def arrow_bytes(table: pa.Table) -> bytes:
    """A table as an Arrow IPC stream."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    whole: bytes = sink.getvalue().to_pybytes()
    return whole


def accepts(request: Request, media_type: str) -> bool:
    """Whether the client names a media type, and not with a weight of 0."""
    for part in request.headers.get("accept", "").split(","):
        name, *parameters = [text.strip().lower() for text in part.split(";")]
        if name == media_type:
            return not any(text.replace(" ", "") in {"q=0", "q=0.0"} for text in parameters)
    return False


class AnswerCache:
    """Bodies of answers by their ETag, the least used go first.

    Requests for one answer that come together make it once.

    Args:
        most_bytes: Memory for the bodies.
    """

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._lock = threading.Lock()
        self._held: OrderedDict[tuple[str, str], bytes] = OrderedDict()
        self._bytes = 0
        self._making: dict[str, threading.Lock] = {}

    def answer(
        self,
        request: Request,
        version: str,
        make: Callable[[], bytes],
        *,
        media_type: str = JSON,
    ) -> Response:
        """The answer to a GET.

        Args:
            request: What was asked.
            version: Of what the answer is about; changes with it.
            make: Makes the body.
            media_type: Of the body.
        """
        tag = _tag(request, version, media_type)
        headers = {
            "ETag": f'W/"{tag}"',
            "Cache-Control": "private, no-cache",
            "Vary": "Accept, Accept-Encoding, Authorization",
        }
        if _matches(request.headers.get("if-none-match", ""), tag):
            return Response(status_code=304, headers=headers)
        encoding = _encoding(request.headers.get("accept-encoding", ""))
        body = self._body(tag, "", make)
        if encoding and len(body) >= _WORTH_COMPRESSING:
            body = self._body(tag, encoding, lambda: _compressed(body, encoding))
            headers["Content-Encoding"] = encoding
        return Response(body, media_type=media_type, headers=headers)

    def _body(self, tag: str, encoding: str, make: Callable[[], bytes]) -> bytes:
        key = (tag, encoding)
        with self._lock:
            if key in self._held:
                self._held.move_to_end(key)
                return self._held[key]
            making = self._making.setdefault(repr(key), threading.Lock())
        with making:
            with self._lock:
                if key in self._held:
                    return self._held[key]
            try:
                body = make()
            finally:
                with self._lock:
                    self._making.pop(repr(key), None)
            with self._lock:
                self._keep(key, body)
        return body

    def _keep(self, key: tuple[str, str], body: bytes) -> None:
        if len(body) > self._most_bytes // 4 or key in self._held:
            return
        self._held[key] = body
        self._bytes += len(body)
        while self._bytes > self._most_bytes:
            _, oldest = self._held.popitem(last=False)
            self._bytes -= len(oldest)


def _tag(request: Request, version: str, media_type: str) -> str:
    query = "&".join(sorted(request.url.query.split("&")))
    text = "\n".join((version, request.url.path, query, media_type))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:24]


def _matches(header: str, tag: str) -> bool:
    given = [text.strip().removeprefix("W/") for text in header.split(",")]
    return "*" in given or f'"{tag}"' in given


def _encoding(header: str) -> str:
    given: set[str] = set()
    for part in header.split(","):
        name, *parameters = [text.strip().lower() for text in part.split(";")]
        if not any(text.replace(" ", "") in {"q=0", "q=0.0"} for text in parameters):
            given.add(name)
    return next((encoding for encoding in _ENCODINGS if encoding in given), "")


def _compressed(body: bytes, encoding: str) -> bytes:
    if encoding == "zstd":
        packed: bytes = pa.Codec("zstd", compression_level=3).compress(body, asbytes=True)
        return packed
    # 31: with the head and checksum of gzip.
    packer = zlib.compressobj(level=5, wbits=31)
    return packer.compress(body) + packer.flush()
