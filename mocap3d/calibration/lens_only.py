"""Lenses alone: what pictures of a board say about each, without a word on where cameras stand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mocap3d.base.errors import CalibrationError, InputError
from mocap3d.calibration.lenses import Filmed, Model, lens_of, told_of
from mocap3d.calibration.result import Calibration, view_fit
from mocap3d.cameras.boards import Board
from mocap3d.cameras.gates import check_lenses
from mocap3d.watching import Progress

__all__ = ["only_lenses"]


def only_lenses(
    filmed: Sequence[Filmed], board: Board | None, model: Model, settings: Mapping[str, object], tell: Progress
) -> Calibration:
    """Calibrate the lens of each video.

    Raises:
        InputError: no board.
        CalibrationError: pictures that leave a lens open; of several lenses it names all that are.
    """
    if board is None:
        raise InputError(
            "one camera alone has a lens and no place: show it a board and say which (`--board chessboard:7x4:60mm`), "
            "or give the videos of at least 2 cameras"
        )
    found, refused = [], []
    for one in filmed:
        try:
            found.append(lens_of(one.path, board, model, tell, one.name))
        except CalibrationError as error:
            refused.append(str(error))
    if refused:
        raise CalibrationError("; ".join(refused))
    cameras = tuple(result.camera for result in found)
    return Calibration(
        cameras=cameras,
        how="lens",
        world="none",
        scale="board",
        views=tuple(
            view_fit(
                result.camera,
                result.seen_px,
                result.off_px,
                residual_px=result.rms_px,
                before_px=None,
                lens="board",
                crop="as calibrated",
                began_s=0.0,
            )
            for result in found
        ),
        gates=check_lenses(cameras),
        sync="none",
        notes=tuple(f"{result.camera.name}: {told_of(result)}" for result in found),
        settings=settings,
    )
