"""What clients send to be worked on: records to judge, build files to read."""

from __future__ import annotations

import asyncio
import contextlib
import json
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse

from pbf_ray.http.answers import json_bytes
from pbf_ray.http.models.work import ScoreRequest, ScoreResult
from pbf_ray.http.parsing import parse_lines
from pbf_ray.http.problems import ProblemError
from pbf_ray.http.routes.parameters import answers
from pbf_ray.http.state import state_of

__all__ = ["parse", "router", "score"]

NDJSON: Final = "application/x-ndjson"

router: Final = APIRouter(tags=["work"])


@router.post("/score", responses=answers(ScoreResult, 415, changes=True))
async def score(request: Request, body: ScoreRequest) -> Response:
    """Judge records by the rules of the profile, as the stream does; nothing is stored."""
    state = state_of(request)
    # With what the decoder may meet in a topic too: numbers of any size, halves of characters.
    values = [json.dumps(record).encode() for record in body.records]
    results = await state.scoring.score(values)
    return Response(
        json_bytes({"profile": state.queries.results.profile.name, "results": results}),
        media_type="application/json",
    )


_PARSED: Final[dict[int | str, dict[str, Any]]] = {
    **answers(None, changes=True),
    200: {
        "description": "Lines of JSON: the file, its layers, the end",
        "content": {NDJSON: {"schema": {"type": "string"}}},
    },
}
_FILE: Final = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}


@router.post(
    "/builds/parse",
    responses=_PARSED,
    openapi_extra=_FILE,
    response_class=StreamingResponse,
)
async def parse(
    request: Request,
    name: Annotated[str, Query(max_length=200, description="what the file is called")] = "upload",
) -> StreamingResponse:
    """Read a build file and tell its layers, line by line; nothing is stored."""
    state = state_of(request)
    if state.uploads.locked():
        raise ProblemError(
            503,
            "busy",
            "other build files are being read",
            advice="send it again in a moment",
            headers={"Retry-After": "5"},
        )
    async with contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(state.uploads)
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="pbf-ray-upload-"))
        path = Path(folder) / "upload"
        await _receive(request, path)
        lines = parse_lines(path, name, state.queries.machine_times)
        # What is no build file at all is an answer of its own, before anything is streamed.
        first = await asyncio.to_thread(next, lines)
        return StreamingResponse(_told(first, lines, stack.pop_all()), media_type=NDJSON)
    raise AssertionError  # the stack lets nothing pass


async def _receive(request: Request, path: Path) -> None:
    with path.open("wb") as file:
        async for chunk in request.stream():
            await asyncio.to_thread(file.write, chunk)


async def _told(
    first: bytes, lines: Iterator[bytes], stack: contextlib.AsyncExitStack
) -> AsyncIterator[bytes]:
    async with stack:
        yield first
        while True:
            part = await asyncio.to_thread(_some, lines)
            if not part:
                return
            yield part


def _some(lines: Iterator[bytes], most: int = 200) -> bytes:
    found: list[bytes] = []
    for line in lines:
        found.append(line)
        if len(found) == most:
            break
    return b"".join(found)
