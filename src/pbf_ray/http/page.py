"""The web page: files that were built ahead and lie in the package."""

from __future__ import annotations

import hashlib
import mimetypes
from pathlib import Path
from typing import Final

from fastapi import APIRouter, Request, Response

from pbf_ray.http.problems import ProblemError

__all__ = ["PAGE_FOLDER", "page_router"]

PAGE_FOLDER: Final = Path(__file__).parent / "page"
_HASHED: Final = "assets"
"""The folder whose files have their checksum in their name: they never change."""
_TYPES: Final = {
    ".js": "text/javascript",
    ".mjs": "text/javascript",
    ".css": "text/css",
    ".svg": "image/svg+xml",
    ".webmanifest": "application/manifest+json",
    ".woff2": "font/woff2",
    ".json": "application/json",
    ".html": "text/html; charset=utf-8",
}

_NOT_BUILT: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>pbf_ray</title></head><body>
<h1>The web page was not built</h1>
<p>This server has the API alone, under <a href="/api/v1/openapi.json">/api/v1</a>.</p>
<p><code>make web</code> builds the page (with Node.js and npm); then start the server again.</p>
</body></html>
"""


def page_router(folder: Path = PAGE_FOLDER) -> APIRouter:
    """Routes of the page; views are paths without an extension, and all are ``index.html``.

    Args:
        folder: Where the files are.
    """
    router = APIRouter(include_in_schema=False)
    root = folder.resolve()

    @router.api_route("/{path:path}", methods=["GET", "HEAD"])
    def page(request: Request, path: str) -> Response:
        if path == "api" or path.startswith("api/"):
            raise ProblemError(
                404, "not-found", f"there is no /{path}", advice="see /api/v1/openapi.json"
            )
        index = root / "index.html"
        if "." not in path.rpartition("/")[2]:
            file = index
        else:
            file = (root / path).resolve() if "\0" not in path else root
            if not file.is_relative_to(root) or not file.is_file():
                raise ProblemError(404, "not-found", f"there is no /{path}")
        if not file.is_file():
            return Response(_NOT_BUILT, media_type="text/html", status_code=503)
        return _file(request, file, forever=path.startswith(f"{_HASHED}/"))

    return router


def _file(request: Request, file: Path, *, forever: bool) -> Response:
    content = file.read_bytes()
    tag = f'"{hashlib.sha256(content).hexdigest()[:24]}"'
    headers = {
        "ETag": tag,
        "Cache-Control": "public, max-age=31536000, immutable" if forever else "no-cache",
    }
    if tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    kind = _TYPES.get(file.suffix) or mimetypes.guess_type(file.name)[0]
    return Response(content, media_type=kind or "application/octet-stream", headers=headers)
