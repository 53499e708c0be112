"""AMASS: SMPL parameters of one take as NPZ, what research on human motion trades in.

::

    poses (T, 156)            axis-angle, 52 joints of SMPL-H (72: 24 of SMPL, 165: 55 of SMPL-X)
    trans (T, 3)              metres
    betas (16,)               shape
    gender                    "female", "male" or "neutral"
    mocap_framerate           frames per second; mocap_frame_rate in the SMPL-X release
    dmpls (T, 8)              soft tissue, where it was solved

The world of AMASS has **+Z up**. Reading keeps the file's numbers bit for bit and says so in ``up``; turning them to +Y
up needs to know where the pelvis of the unposed body is, which only the body model tells: ``SmplParameters.turned``.

Source: https://amass.is.tue.mpg.de and its notebooks, github.com/nghorbani/amass.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.checks import as_fps
from mocap3d.base.errors import InputError
from mocap3d.base.files import atomic_path
from mocap3d.base.safe_pickle import load_npz
from mocap3d.base.smpl import SmplParameters
from mocap3d.output.motion_parts import reading
from mocap3d.output.point_file import rate_of_float, warn

__all__ = ["read_amass", "write_amass"]

Floats = NDArray[np.float64]

_RATES: Final = ("mocap_framerate", "mocap_frame_rate")
_BETAS: Final = 16


def write_amass(parameters: SmplParameters, path: str | os.PathLike[str]) -> None:
    """Write SMPL parameters as AMASS does; ``poses`` is (T, 3 K), float64.

    Raises:
        InputError: the parameters have +Y up (``turned`` brings them to +Z), or the file cannot be written.
    """
    if parameters.up != "Z":
        raise InputError('AMASS has +Z up and these parameters +Y; turn them with parameters.turned("Z", pelvis_m)')
    smplx = parameters.model == "smplx"
    arrays: dict[str, Any] = {
        "poses": parameters.poses_rotvec.reshape(len(parameters), -1),
        "trans": parameters.trans_m,
        "betas": parameters.betas,
        "gender": np.array(parameters.gender),
        _RATES[smplx]: np.float64(parameters.fps),
    }
    if smplx:
        arrays["surface_model_type"] = np.array("smplx")
    if parameters.dmpls is not None:
        arrays["dmpls"] = parameters.dmpls
    with atomic_path(path) as temporary, open(temporary, "wb") as file:
        np.savez(file, **arrays)


def read_amass(
    path: str | os.PathLike[str], *, up: Literal["Y", "Z"] = "Z", fps: Fraction | float | str | None = None
) -> SmplParameters:
    """Read a take of AMASS, or what other programs write in its form.

    Args:
        path: the file.
        up: the axis that points up in the file; AMASS itself has +Z.
        fps: use this rate instead of the file's.

    Returns:
        The numbers of the file, not turned. Missing ``betas`` are 0, a missing ``gender`` is "neutral", with a warning.

    Raises:
        FileFormatError: not such a file, or damaged.
        InputError: there is no such file, or an option cannot be used.
    """
    if up not in ("Y", "Z"):
        raise InputError(f'up must be "Y" or "Z", got {up!r}')
    rate = None if fps is None else as_fps(fps)
    arrays = load_npz(Path(path))
    with reading(path, "an AMASS take"):
        poses = _floats(arrays, "poses", 2)
        if poses.shape[1] % 3:
            raise InputError(f"poses must have three columns per joint, got {poses.shape[1]} columns")
        return SmplParameters(
            poses_rotvec=poses.reshape(len(poses), -1, 3),
            trans_m=_floats(arrays, "trans", 2),
            betas=_betas(arrays, path),
            gender=_gender(arrays, path),
            fps=_rate(arrays) if rate is None else rate,
            up=up,
            dmpls=_floats(arrays, "dmpls", 2) if "dmpls" in arrays else None,
        )


def _floats(arrays: Mapping[str, object], name: str, axes: int) -> Floats:
    array = arrays[name]
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiu" or array.ndim != axes:
        raise InputError(f"{name} must be an array of numbers with {axes} axes")
    with np.errstate(all="ignore"):
        return array.astype(np.float64)


def _betas(arrays: Mapping[str, object], path: str | os.PathLike[str]) -> Floats:
    if "betas" in arrays:
        return _floats(arrays, "betas", 1)
    warn(path, "there are no betas: the average shape is taken")
    return np.zeros(_BETAS)


def _gender(arrays: Mapping[str, object], path: str | os.PathLike[str]) -> Any:
    """Read ``gender``, which is text, bytes, or an array of either."""
    if "gender" not in arrays:
        warn(path, 'there is no gender: "neutral" is taken')
        return "neutral"
    value = arrays["gender"]
    value = value.item() if isinstance(value, np.ndarray) else value
    return (value.decode("latin-1") if isinstance(value, bytes) else str(value)).lower()


def _rate(arrays: Mapping[str, object]) -> Fraction:
    name = next((name for name in _RATES if name in arrays), None)
    if name is None:
        raise InputError("there is no mocap_framerate; pass fps= to say the rate")
    value = arrays[name]
    return rate_of_float(np.float64(value.item() if isinstance(value, np.ndarray) else value))  # type: ignore[arg-type]
