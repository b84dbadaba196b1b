"""A job of the machine twin that runs, and its results served by Ray Serve meanwhile."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pbf_ray.config import Settings
from pbf_ray.http.ledger import open_ledger
from pbf_ray.http.serving import serve_results
from pbf_ray.http.tokens import Tokens
from pbf_ray.jobs.demo import DemoJob, DemoScale
from support.http_hall import Hall


@pytest.fixture(scope="module")
def hall(ray_cluster: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hall]:
    folder = tmp_path_factory.mktemp("hall")
    http = {"port": 0, "replicas": 2, "refresh_s": 0.2, "tokens_required": True}
    settings = Settings(job={"data_dir": folder}, http=http)
    demo = DemoJob(settings, DemoScale(machines=1, layers=4, seconds=6))
    # The server is there before the job has ever run.
    settings = settings.replace({"job.name": demo.folder.name})
    token = Tokens(open_ledger(settings)).add("tests", "admin", by="tests")
    serving = serve_results(settings)
    try:
        yield Hall(settings, serving.address, token, demo)
    finally:
        demo.close()
        serving.close()
