import subprocess
import sys


def test_loaded_kernels_compile_nothing_at_the_first_call() -> None:
    code = """
import numpy as np
from pbf_ray.kernels.loading import load_kernels
load_kernels()
from numba.core import event
with event.install_recorder("numba:compile") as recorder:
    from pbf_ray.kernels.anomaly import CompiledRules, first_match
    from pbf_ray.kernels.order import canonical_order, event_order_key
    from pbf_ray.kernels.rolling import RollingState, quality_score, rolling_update
    x, ok = np.zeros((4, 9)), np.ones((4, 9), np.bool_)
    x.flags.writeable = False
    key = event_order_key(x[0], ok[0])
    rows, start = canonical_order(np.zeros(9, np.int64), 1, key[::-1])
    first_match(x, ok, CompiledRules([0], [0], [1.0]))
    frame = rolling_update(key, start, x, ok, RollingState.empty(1, 4))
    quality_score(frame.std[0], frame.std_valid[0])
    from pbf_ray.kernels.contour_area import contour_area
    from pbf_ray.kernels.hatch_spacing import hatch_spacing
    from pbf_ray.kernels.scan_path import group_rows, moves_between, path_sums
    from pbf_ray.kernels.vectors import VectorColumns
    xy = np.array([0, 1, 1, 0, 0, 5, 9, 5, 0], np.float32)
    xy.flags.writeable = False
    vectors = VectorColumns([1, 0], [True, False], [0, 5], [5, 4], xy, xy[::-1])
    rows, start = group_rows(np.zeros(2, np.int64), 1)
    one = np.array([0, 1])
    path_sums(vectors, rows, start, one, one)
    moves_between(vectors, *np.zeros((3, 2), np.int64), 1)
    hatch_spacing(vectors, rows, start, np.array([[1.0, 0.0]]))
    contour_area(vectors, np.array([0, 0]), np.array([0, 2]))
raise SystemExit(len(recorder.buffer))
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
