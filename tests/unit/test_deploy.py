"""``deploy/compose.yaml`` serves what the settings look for when they are not told otherwise."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import urlsplit

from pbf_ray.config import Settings
from pbf_ray.config.settings import environment_names
from support.compose import read_compose
from support.pages import REPOSITORY

COMPOSE = REPOSITORY / "deploy" / "compose.yaml"


def _host_ports(compose: dict[str, Any]) -> dict[str, int]:
    ports = {}
    for name, service in compose["services"].items():
        (published,) = service["ports"]
        address, port, _ = published.split(":")
        assert address == "127.0.0.1", "a database without TLS is for this machine only"
        ports[name] = int(port)
    return ports


def test_the_servers_are_where_the_settings_look() -> None:
    compose = read_compose(COMPOSE)
    settings = Settings()
    assert _host_ports(compose) == {
        "postgres": settings.postgres.port,
        "mongodb": settings.mongodb.port,
        "redis": settings.redis.port,
        "s3": urlsplit(settings.local_s3.endpoint).port,
    }
    environment = compose["services"]["postgres"]["environment"]
    assert environment["POSTGRES_DB"] == settings.postgres.database
    assert environment["POSTGRES_USER"] == settings.postgres.user


def test_its_secrets_have_the_names_of_the_settings_and_no_values() -> None:
    text = COMPOSE.read_text(encoding="utf-8")
    required = set(re.findall(r"\$\{(\w+):\?", text))
    optional = set(re.findall(r"\$\{(\w+):-", text))
    assert required | optional <= set(environment_names())
    assert required == {
        name
        for name in environment_names()
        if name.startswith(("POSTGRES_", "MONGODB_P", "REDIS_", "LOCAL_S3_"))
        and name.endswith(("PASSWORD", "_KEY"))
    }
    secret = "with $ and :"  # noqa: S105 - it opens nothing
    given = {"LOCAL_S3_ACCESS_KEY": "a", "LOCAL_S3_SECRET_KEY": secret}
    compose = read_compose(COMPOSE, variables=given)
    keys = json.loads(compose["configs"]["s3-keys"]["content"])
    assert keys["identities"][0]["credentials"] == [{"accessKey": "a", "secretKey": secret}]


def test_every_server_has_an_image_of_a_version_and_keeps_its_data() -> None:
    compose = read_compose(COMPOSE)
    volumes = set(compose["volumes"])
    for name, service in compose["services"].items():
        assert re.fullmatch(r"[\w/]+:\d[\w.]*", service["image"]), name
        (mount,) = service["volumes"]
        assert mount.split(":")[0] in volumes
        assert service["restart"] == "unless-stopped"
