"""The output as a whole: nothing of a run is seen before all of it is there.

Tasks write below a staging folder, whose name begins with ``_`` so that readers pass it over. When
all are done, the manifest says ``replacing``, what an earlier run left is removed, the files move
to their names, and the manifest says ``complete``; ``_SUCCESS`` is there exactly while it does.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa

from pbf_ray.batch.places import Place
from pbf_ray.batch.table_files import cannot_write, part_name, table_file
from pbf_ray.errors import StoreContentError, StoreError

__all__ = ["MANIFEST", "StagedFile", "TablesOutput"]

MANIFEST: Final = "_manifest.json"
_SUCCESS: Final = "_SUCCESS"
_STAGING: Final = "_staging-"
_VERSION: Final = 1
_FIRST_CONTENT: Final = "parsed build files"  # of manifests that do not say so


@dataclass(frozen=True)
class StagedFile:
    """A file that a task has written.

    Attributes:
        name: What it will be called, below the output.
        staged: Where it is until then, below the staging folder.
        rows: Its rows.
    """

    name: str
    staged: str
    rows: int


class TablesOutput:
    """A folder that holds what one run gave; another run over it replaces that.

    One run at a time may write to it.

    Args:
        place: The folder; made if it is not there.
        schemas: The tables of a run: name and columns.
        content: What a run gives, in words.
        finish: Told the name and the place of every table that is there, before a run is whole.
    """

    def __init__(
        self,
        place: Place,
        schemas: Mapping[str, pa.Schema],
        content: str,
        *,
        finish: Callable[[str, Place], None] | None = None,
    ) -> None:
        self._place = place
        self._schemas = dict(schemas)
        self._content = content
        self._finish = finish
        self._system = place.file_system
        self._run = secrets.token_hex(8)

    @property
    def staging(self) -> Place:
        """Where the files of this run are until all are there."""
        return self._place / f"{_STAGING}{self._run}"

    def prepare(self) -> None:
        """Make the folder; remove what broken runs left in it.

        Raises:
            StoreContentError: Something else is in it.
            StoreUnavailableError: It cannot be written.
        """
        try:
            self._system.makedirs(self._place.path, exist_ok=True)
            names = self._names()
            if names and MANIFEST not in names:
                raise StoreContentError(
                    self._place.url,
                    f"holds something else than {self._content}: {min(names)}",
                    advice="name another --output, or empty this one",
                )
            if MANIFEST in names:
                self._check_content()
            for name in names:
                if name.startswith(_STAGING):
                    self._system.rm((self._place / name).path, recursive=True)
            if MANIFEST not in names:
                self._say("writing", ())
            self._system.makedirs(self.staging.path, exist_ok=True)
        except OSError as error:
            raise cannot_write(self._place.url, error) from error

    def write_table(self, name: str, table: pa.Table) -> StagedFile:
        """Write a table of the whole run to the staging folder."""
        staged = f"{name}/{part_name(0, 1)}"
        with table_file(self.staging / staged, self._schemas[name]) as file:
            file.write(table)
        return StagedFile(staged, staged, len(table))

    def commit(self, files: Sequence[StagedFile], summary: dict[str, Any]) -> None:
        """Put the files in the place of what was there.

        Args:
            files: All files of the run.
            summary: What the manifest says about it.

        Raises:
            StoreError: A file of the run is not there.
            StoreUnavailableError: It cannot be written.
        """
        try:
            self._system.invalidate_cache()
            there = set(self._system.find(self.staging.path))
            missing = [file for file in files if (self.staging / file.staged).path not in there]
            if missing:
                raise StoreError(
                    self._place.url,
                    f"{len(missing)} files that workers wrote are not there, such as "
                    f"{missing[0].staged}",
                    advice="workers write files themselves: use an output that all machines see, "
                    "and one run at a time",
                )
            self._remove(_SUCCESS)
            self._say("replacing", files, summary)
            for table in self._schemas:
                self._remove(table)
            self._move(files)
            for table in sorted({file.name.partition("/")[0] for file in files}):
                if self._finish is not None:
                    self._finish(table, self._place / table)
            self._say("complete", files, summary)
            self._system.pipe_file((self._place / _SUCCESS).path, b"")
        except OSError as error:
            raise cannot_write(self._place.url, error) from error
        self.abandon()

    def abandon(self) -> None:
        """Remove the staging folder of this run."""
        try:
            self._remove(self.staging.path.rpartition("/")[2])
        except OSError as error:
            raise cannot_write(self._place.url, error) from error

    def _check_content(self) -> None:
        """A run of another kind would leave the tables of the one before beside its own."""
        try:
            manifest = json.loads(self._system.cat_file((self._place / MANIFEST).path))
            content = manifest.get("content", _FIRST_CONTENT)
        except (ValueError, AttributeError):
            return  # a manifest that cannot be read: what it lists is replaced
        if content != self._content:
            raise StoreContentError(
                self._place.url,
                f"holds {content}, and not {self._content}",
                advice="name another --output, or empty this one",
            )

    def _names(self) -> set[str]:
        listed: Iterable[str] = self._system.ls(self._place.path, detail=False)
        return {path.rstrip("/").rpartition("/")[2] for path in listed}

    def _remove(self, name: str) -> None:
        path = (self._place / name).path
        if self._system.exists(path):
            self._system.rm(path, recursive=True)

    def _move(self, files: Sequence[StagedFile]) -> None:
        for folder in sorted({file.name.rpartition("/")[0] for file in files}):
            self._system.makedirs((self._place / folder).path, exist_ok=True)
        for file in files:
            self._system.mv((self.staging / file.staged).path, (self._place / file.name).path)

    def _say(
        self, state: str, files: Sequence[StagedFile], summary: dict[str, Any] | None = None
    ) -> None:
        manifest = {
            "version": _VERSION,
            "content": self._content,
            "state": state,
            **(summary or {}),
            "files": [{"name": file.name, "rows": file.rows} for file in files],
        }
        text = json.dumps(manifest, indent=1, ensure_ascii=False)
        draft = (self._place / f"{MANIFEST}.{self._run}").path
        self._system.pipe_file(draft, f"{text}\n".encode())
        self._system.mv(draft, (self._place / MANIFEST).path)
