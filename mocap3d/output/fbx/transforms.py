"""How an FBX node stands in its parent.

    parent_from_node = T Roff Rp Rpre R Rpost^-1 Rp^-1 Soff Sp S Sp^-1

T, R, S are the animated Lcl Translation, Rotation, Scaling; Roff, Soff offsets; Rp, Sp pivots; Rpre, Rpost constant
rotations, always about X, then Y, then Z; R has the order that RotationOrder names. Scales must be the same along all
three axes, as a skeleton's are: they become lengths.

Reference:
    "Computing transformation matrices", documentation of the Autodesk FBX SDK.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.errors import Mocap3dWarning
from mocap3d.base.rotations import wxyz_conjugate, wxyz_multiply, wxyz_normalized, wxyz_rotate
from mocap3d.output.euler import euler_to_wxyz
from mocap3d.output.fbx.scene import Item
from mocap3d.output.fbx.takes import Take

__all__ = ["Placement", "local_placement"]

Floats = NDArray[np.float64]

_ORDERS: Final = ("XYZ", "XZY", "YZX", "YXZ", "ZXY", "ZYX")  # the axis that turns first comes first
_EVEN: Final = 1e-3  # scales that differ by less are one


@dataclass(frozen=True, slots=True, eq=False)
class Placement:
    """parent_from_node over time, or standing still when T is 1.

    Attributes:
        place: (T, 3) in the parent, in its unit.
        wxyz: (T, 4).
        scale: of the node's unit in the parent's, above 0.
    """

    place: Floats
    wxyz: Floats
    scale: float

    def then(self, child: Placement, unit: float) -> Placement:
        """Compose: self is a_from_b, child b_from_c, the result a_from_c; the unit inside b is so long in a."""
        place = self.place + wxyz_rotate(self.wxyz, unit * child.place)
        return Placement(place, wxyz_multiply(self.wxyz, child.wxyz), unit * child.scale)


def local_placement(model: Item, take: Take | None) -> Placement:
    """Place a node in its parent, in the units of the file.

    Args:
        model: the node.
        take: what moves it; None places it at rest.

    Raises:
        FileFormatError: it is mirrored or has no size, or a property is broken.
    """
    if take is None:
        moves = [model.vector(name, default)[None] for name, default in _CHANNELS]
    else:
        moves = [take.values(model, name, default) for name, default in _CHANNELS]
    translation, angles_deg, scaling = moves
    scale = _even_scale(model, scaling)
    wxyz = _rotation(model, angles_deg)
    pivot, scale_pivot = model.vector("RotationPivot"), model.vector("ScalingPivot")
    inside = model.vector("ScalingOffset") + (1 - scale) * scale_pivot - pivot
    place = translation + model.vector("RotationOffset") + pivot + wxyz_rotate(wxyz, inside)
    return Placement(place, wxyz, scale)


_CHANNELS: Final = (("Lcl Translation", 0.0), ("Lcl Rotation", 0.0), ("Lcl Scaling", 1.0))


def _rotation(model: Item, angles_deg: Floats) -> Floats:
    """Rpre R Rpost^-1, (T, 4); without RotationActive, or with it only for limits, R alone and in the order XYZ."""
    active = model.integer("RotationActive", 1) and not model.integer("RotationSpaceForLimitOnly", 0)
    order = model.integer("RotationOrder", 0) if active else 0
    if not 0 <= order < len(_ORDERS):
        raise model.error(f"RotationOrder {order} is none of the six Euler orders 0..{len(_ORDERS) - 1}")
    wxyz = _from_euler(angles_deg, _ORDERS[order])
    if active:
        before, after = (_from_euler(model.vector(name)[None], "XYZ") for name in ("PreRotation", "PostRotation"))
        wxyz = wxyz_multiply(wxyz_multiply(before, wxyz), wxyz_conjugate(after))
    return wxyz_normalized(wxyz)


def _from_euler(angles_deg: Floats, order: str) -> Floats:
    """Turn angles (T, 3) about X, Y, Z, of which the first of the order turns first, into quaternions (T, 4)."""
    axes = ["XYZ".index(letter) for letter in reversed(order)]
    return euler_to_wxyz(np.deg2rad(angles_deg[:, axes]), axes)


def _even_scale(model: Item, scaling: Floats) -> float:
    scale = float(scaling[0].mean())
    if (scaling[0] <= 1e-9).any():
        raise model.error(f"Lcl Scaling must be above 0, got {scaling[0].tolist()}; freeze the scale in the program")
    if np.abs(scaling - scale).max() > _EVEN * scale:
        message = f"{model.path}: the scale of {model.name!r} is uneven or animated; {scale:.4g} is used throughout"
        warnings.warn(message, Mocap3dWarning, stacklevel=2)
    return scale
