"""A hall of machines whose results are served."""

from __future__ import annotations

from dataclasses import dataclass

import httpx2

from pbf_ray.config import Settings
from pbf_ray.jobs.demo import DemoJob


@dataclass
class Hall:
    """A hall of machines, and somebody who may see everything.

    Attributes:
        settings: Of the job and its server.
        address: Of the server.
        token: With scope admin.
        demo: The job.
    """

    settings: Settings
    address: str
    token: str
    demo: DemoJob

    def client(self) -> httpx2.Client:
        """A client with the token."""
        headers = {"Authorization": f"Bearer {self.token}"}
        return httpx2.Client(base_url=self.address, headers=headers, timeout=60)
