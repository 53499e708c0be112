"""A Motion taken apart into plain values and arrays, and put together again: what the lossless formats hold."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from fractions import Fraction
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.errors import FileFormatError, InputError
from mocap3d.base.motion import Motion
from mocap3d.base.rig import Rig, Tip
from mocap3d.base.skeleton import Skeleton

__all__ = ["OPTIONAL_ARRAYS", "RIG_ARRAYS", "arrays_of", "facts_of", "motion_of", "reading"]

Floats = NDArray[np.float64]

RIG_ARRAYS: Final = ("offsets_m", "rest_wxyz", "tip_offsets_m")
"""Arrays without a frame axis: (J, 3), (J, 4), (K, 3)."""
OPTIONAL_ARRAYS: Final = ("local_m", "contacts")
"""(T, J, 3) and (T, 4); left out where the motion has None."""

_DAMAGE: Final = (
    ArithmeticError,
    AttributeError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
)


def facts_of(motion: Motion) -> dict[str, Any]:
    """List what is no array of floats, as JSON can hold it."""
    rig = motion.rig
    return {
        "fps": [motion.fps.numerator, motion.fps.denominator],
        "start_frame": motion.start_frame,
        "skeleton": rig.skeleton.name,
        "joint_names": list(rig.skeleton.joint_names),
        "parents": list(rig.skeleton.parents),
        "mirror": list(rig.skeleton.mirror),
        "tip_names": [tip.name for tip in rig.tips],
        "tip_parents": [tip.parent for tip in rig.tips],
    }


def arrays_of(motion: Motion) -> dict[str, Floats]:
    """List the arrays, float64; ``local_m`` and ``contacts`` only where the motion has them."""
    rig = motion.rig
    arrays = {
        "offsets_m": rig.offsets_m,
        "rest_wxyz": rig.rest_wxyz,
        "tip_offsets_m": np.array([tip.offset_m for tip in rig.tips]).reshape(-1, 3),
        "local_wxyz": motion.local_wxyz,
        "root_m": motion.root_m,
    }
    optional = {"local_m": motion.local_m, "contacts": motion.contacts}
    return arrays | {name: array for name, array in optional.items() if array is not None}


def motion_of(facts: Mapping[str, Any], arrays: Mapping[str, Any]) -> Motion:
    """Put a motion together.

    Raises:
        InputError: something is missing, of another type, or contradicts the rest.
    """
    skeleton = Skeleton(
        name=_typed(facts, "skeleton", str),
        joint_names=_all_typed(facts, "joint_names", str),
        parents=_all_typed(facts, "parents", int),
        mirror=_all_typed(facts, "mirror", int),
    )
    names, parents = _all_typed(facts, "tip_names", str), _all_typed(facts, "tip_parents", int)
    offsets_m = _floats(arrays, "tip_offsets_m")
    if not len(names) == len(parents) == len(offsets_m):
        raise InputError(f"{len(names)} names, {len(parents)} parents and {len(offsets_m)} offsets of tips")
    tips = tuple(
        Tip(name=name, parent=parent, offset_m=offset_m)
        for name, parent, offset_m in zip(names, parents, offsets_m, strict=True)
    )
    offsets_m, rest_wxyz = _floats(arrays, "offsets_m"), _floats(arrays, "rest_wxyz")
    numerator, denominator = _all_typed(facts, "fps", int)
    return Motion(
        rig=Rig(skeleton=skeleton, offsets_m=offsets_m, rest_wxyz=rest_wxyz, tips=tips),
        fps=Fraction(numerator, denominator),
        local_wxyz=_floats(arrays, "local_wxyz"),
        root_m=_floats(arrays, "root_m"),
        local_m=_floats(arrays, "local_m") if "local_m" in arrays else None,
        contacts=_floats(arrays, "contacts") if "contacts" in arrays else None,
        start_frame=_typed(facts, "start_frame", int),
    )


@contextmanager
def reading(path: str | os.PathLike[str], what: str) -> Iterator[None]:
    """Turn whatever a damaged file raises into a FileFormatError that names the file."""
    try:
        with np.errstate(all="ignore"):  # what overflows is refused afterwards
            yield
    except FileFormatError as error:
        if error.path is not None:
            raise
        raise FileFormatError(f"cannot be read as {what}: {error}", path=str(path)) from None
    except KeyError as error:
        raise FileFormatError(f"cannot be read as {what}: {error} is missing", path=str(path)) from None
    except _DAMAGE as error:
        raise FileFormatError(f"cannot be read as {what}: {str(error)[:400]}", path=str(path)) from None


def _typed(facts: Mapping[str, Any], name: str, kind: type[Any]) -> Any:
    value = facts[name]
    if type(value) is not kind:
        raise InputError(f"{name} must be {kind.__name__}, got {type(value).__name__}")
    return value


def _all_typed(facts: Mapping[str, Any], name: str, kind: type[Any]) -> tuple[Any, ...]:
    values = _typed(facts, name, list)
    if any(type(value) is not kind for value in values):
        raise InputError(f"{name} must hold {kind.__name__} only")
    return tuple(values)


def _floats(arrays: Mapping[str, Any], name: str) -> Floats:
    array = arrays[name]
    if not isinstance(array, np.ndarray) or array.dtype != np.float64:
        raise InputError(f"{name} must be an array of float64")
    return array
