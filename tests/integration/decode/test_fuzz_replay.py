"""Records that were found by a search are replayed with ASan and UBSan."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[3]
CORPUS = REPOSITORY / "tests" / "data" / "records" / "corpus"

# The first test that replays builds the whole core with sanitizers: minutes.
pytestmark = pytest.mark.timeout(1200)


def test_the_corpus_is_decoded_without_a_finding(
    replay: Callable[[str, Sequence[Path]], None],
) -> None:
    files = sorted(CORPUS.iterdir())
    assert 0 < len(files) <= 300
    assert all(file.stat().st_size <= 5000 for file in files)
    replay("records", files)
