"""Tokens, scopes, names of hosts, headers: who gets in, and what browsers are told."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from pbf_ray.errors import PbfRayError
from pbf_ray.http.ledger import open_ledger
from pbf_ray.http.security import on_this_machine
from pbf_ray.http.tokens import Tokens
from support.http_results import WrittenJob


@pytest.fixture
def tokens(job: WrittenJob) -> Tokens:
    return Tokens(open_ledger(job.settings))


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def test_elsewhere_than_on_this_machine_a_token_is_needed(
    job: WrittenJob, tokens: Tokens, connect
) -> None:
    client = connect(job, host="0.0.0.0")  # noqa: S104
    answer = client.get("/api/v1/machines")
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert client.get("/metrics").status_code == 401
    assert client.get("/healthz").status_code == client.get("/readyz").status_code == 200
    # The page has no secrets; it asks for the token itself.
    assert client.get("/").status_code == 503
    token = tokens.add("anna", "read", by="test")
    assert client.get("/api/v1/machines", headers=bearer(token)).status_code == 200
    assert client.get("/metrics", headers=bearer(token)).status_code == 200
    for wrong in (token[:-1], token + "x", "", "pbf_", "ü"):
        headers = {"Authorization": f"Bearer {wrong}".encode()}
        assert client.get("/api/v1/machines", headers=headers).status_code == 401
    assert client.get(f"/api/v1/machines?token={token}").status_code == 401
    tokens.revoke("anna", by="test")
    assert client.get("/api/v1/machines", headers=bearer(token)).status_code == 401


def test_scopes(job: WrittenJob, tokens: Tokens, connect) -> None:
    client = connect(job, tokens_required=True)
    key = None
    for scope, expected in (("read", (403, 403)), ("decide", (200, 403)), ("admin", (200, 200))):
        headers = bearer(tokens.add(f"{scope}-er", scope, by="test"))  # type: ignore[arg-type]
        about = client.get("/api/v1/about", headers=headers).json()["caller"]
        assert (about["name"], about["scopes"][-1]) == (f"{scope}-er", scope)
        inbox = client.get("/api/v1/alerts?state=all", headers=headers).json()
        key = inbox["items"][0]["alert_id"]
        place = f"/api/v1/alerts/{key}/acknowledge"
        found = (
            client.post(place, json={}, headers=headers).status_code,
            client.get("/api/v1/audit", headers=headers).status_code,
        )
        assert found == expected, scope
    seen = client.get("/api/v1/audit", headers=headers).json()["items"]
    assert seen[1]["by"] == "decide-er"
    assert "sha256" not in str(seen)


def test_tokens_are_kept_as_hashes_and_never_logged(
    job: WrittenJob, tokens: Tokens, connect, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    token = tokens.add("anna", "read", by="test")
    client = connect(job, tokens_required=True)
    client.get("/api/v1/machines", headers=bearer(token))
    client.get("/api/v1/nothing", headers=bearer(token))
    assert token not in caplog.text
    ledger = open_ledger(job.settings).path
    for file in (ledger, *ledger.parent.glob("http.sqlite-*")):
        assert token.encode() not in file.read_bytes()
        assert token.removeprefix("pbf_").encode() not in file.read_bytes()


def test_names_of_tokens(tokens: Tokens) -> None:
    tokens.add("a.b@c", "read", by="test")
    for name in ("", "local", "a b", "x" * 65, "-a", "a.b@c"):
        with pytest.raises(PbfRayError):
            tokens.add(name, "read", by="test")
    with pytest.raises(PbfRayError, match="no token"):
        tokens.revoke("nobody", by="test")
    assert list(tokens.names()) == ["a.b@c"]


def test_a_wrong_token_is_refused_where_none_is_needed(client: TestClient) -> None:
    assert client.get("/api/v1/machines", headers=bearer("pbf_x")).status_code == 401
    assert (
        client.get("/api/v1/machines", headers={"Authorization": "Basic eA=="}).status_code == 401
    )


@pytest.mark.parametrize(
    ("host", "status"),
    [("localhost:8080", 200), ("127.0.0.1", 200), ("[::1]:8080", 200), ("evil.example", 421),
     ("localhost.evil.example:8080", 421)],
)  # fmt: skip
def test_names_that_are_not_ours_are_refused(client: TestClient, host: str, status: int) -> None:
    answer = client.get("/api/v1/machines", headers={"Host": host})
    assert answer.status_code == status


def test_every_answer_tells_browsers_to_be_strict(client: TestClient) -> None:
    for path in ("/", "/api/v1/machines", "/api/v1/nothing", "/healthz", "/api/v1/audit?limit=0"):
        headers = client.get(path).headers
        assert "default-src 'none'" in headers["content-security-policy"], path
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert "access-control-allow-origin" not in headers


def test_other_origins_are_let_in_by_name_only(job: WrittenJob, connect) -> None:
    client = connect(job, allowed_origins=("https://mes.example",))
    for origin, allowed in (("https://mes.example", True), ("https://evil.example", False)):
        headers = client.get("/api/v1/machines", headers={"Origin": origin}).headers
        assert (headers.get("access-control-allow-origin") == origin) is allowed


@pytest.mark.parametrize(
    ("host", "here"),
    [("127.0.0.1", True), ("127.8.8.8", True), ("::1", True), ("localhost", True),
     ("0.0.0.0", False), ("::", False),  # noqa: S104
     ("10.0.0.4", False), ("hall-2.example", False)],
)  # fmt: skip
def test_what_is_this_machine(host: str, here: bool) -> None:
    assert on_this_machine(host) is here


def test_the_page_and_its_files(job: WrittenJob, connect, tmp_path: Path) -> None:
    folder = tmp_path / "page"
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text("<!doctype html>page")
    (folder / "assets" / "app-1a2b.js").write_text("1")
    (tmp_path / "secret.txt").write_text("secret")
    client = connect(job)
    for path in ("/", "/builds/M01-B001", "/alerts"):
        page = client.get(path)
        assert page.text == "<!doctype html>page"
        assert page.headers["cache-control"] == "no-cache"
    asset = client.get("/assets/app-1a2b.js")
    assert "immutable" in asset.headers["cache-control"]
    assert asset.headers["content-type"].startswith("text/javascript")
    assert client.get("/", headers={"If-None-Match": page.headers["etag"]}).status_code == 304
    for path in ("/../secret.txt", "/%2e%2e/secret.txt", "/assets/../../secret.txt", "/none.js"):
        assert client.get(path).status_code == 404, path
    assert client.get("/api/v2/machines").headers["content-type"] == "application/problem+json"
