from __future__ import annotations

import sys

from mocap3d.train.lifter_log import draw_curve, keep_rows, read_rows, write_row


def logged(path, steps=(10, 20, 30)):
    for step in steps:
        write_row(
            path, {"step": step, "minutes": step / 10, "loss_mm": 900.0 / step, "held_out_mpjpe_mm": 1000.0 / step}
        )
    return path


def test_rows_after_the_checkpoint_are_dropped(tmp_path):
    """Catches a log in which a resumed run repeats steps, or loses those that were."""
    log = logged(tmp_path / "log.csv")
    keep_rows(log, 20)
    assert [row["step"] for row in read_rows(log)] == ["10", "20"]
    logged(log, steps=(30,))
    assert [row["step"] for row in read_rows(log)] == ["10", "20", "30"]
    assert log.read_text().count("loss_mm") == 1
    keep_rows(tmp_path / "none.csv", 20)  # nothing logged yet


def test_the_curve_is_drawn_where_matplotlib_is(tmp_path, monkeypatch):
    """Catches a training that ends because a picture cannot be drawn, and a picture of nothing."""
    log = logged(tmp_path / "log.csv")
    draw_curve(log, tmp_path / "curve.png")
    assert len((tmp_path / "curve.png").read_bytes()) > 5000
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    draw_curve(log, tmp_path / "other.png")
    assert not (tmp_path / "other.png").exists()
