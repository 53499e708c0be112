"""How far a person's joints turn: anatomical ranges for HUMANOID_22, and rotations held within them.

A joint has three angles: the twist about its bone and the two parts of the swing that turns the bone. With ``a`` the
axis along the bone and ``b``, ``c`` those of the swing (coordinate axes at rest, right-handed; mirrored on the right
side, so that equal angles are mirror images),

    local = exp(centre) * exp(swing) * exp(twist a)        centre and swing in the plane of b and c
    angles = (twist, swing_b + centre_b, swing_c + centre_c)

so that at rest, in the T-pose, all angles are 0, and the turn of a hinge about ``b`` reads as that turn. ``centre`` is
the middle of what the joint does, because the exponential map is true to scale there: seen from a straight elbow, one
degree of tilt in an arm bent by 150 degrees would read as five. The angles are smooth as long as bone and twist are
less than 180 degrees from the centre; the ranges stay 40 degrees clear of that. The hips are free.

**Sources.** AAOS: American Academy of Orthopaedic Surgeons, as tabulated in Norkin & White, "Measurement of Joint
Motion", appendix, and Greene & Heckman, "The Clinical Measurement of Joint Motion", 1994. Kapandji: "The Physiology of
the Joints", volumes 1 to 3. Both measure one joint, about one axis, in a person at rest. The ranges are wider where
people who climb, dance or turn cartwheels (CMU motion capture) were recorded beyond them: weight and swing load soft
tissue; one joint of a rig stands for several (three for seventeen vertebrae; the upper arm for what the girdle was not
seen to do); and turns combined from the T-pose are not the clinic's. ``_TABLE`` says it for every joint.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mocap3d.base.errors import InputError
from mocap3d.base.rotations import rotvec_to_wxyz, wxyz_conjugate, wxyz_multiply, wxyz_normalized
from mocap3d.base.skeletons import HUMANOID_22

__all__ = ["ANGLE_NAMES", "LIMITS_RAD", "clamped", "excess_rad", "limit_angle_jacobians", "limit_angles"]

Floats = NDArray[np.float64]

_INSIDE_RAD: Final = 1e-9  # `clamped` stops this far inside, so that rounding does not leave it outside
_LONGEST: Final = 1e9  # of derivatives at a swing of 180 degrees, where they do not exist


@dataclass(frozen=True, slots=True, kw_only=True)
class _Joint:
    """One row of the table, for the left side or the middle of the body.

    Attributes:
        axes: twist, swing b, swing c: signed coordinate axes of the joint at rest, right-handed.
        names: what a positive angle is called.
        ranges_deg: (lowest, highest) for each of the three.
        centre_deg: the middle of what the joint does; that of the twist only says where it jumps by a full turn.
    """

    axes: tuple[str, str, str]
    names: tuple[str, str, str]
    ranges_deg: tuple[tuple[float, float], tuple[float, float], tuple[float, float]]
    centre_deg: tuple[float, float, float] = (0.0, 0.0, 0.0)


_FREE: Final = (-360.0, 360.0)
_TRUNK: Final = ("+Y", "+X", "-Z")
_TRUNK_NAMES: Final = ("rotation to the left", "flexion", "bending to the left")

_TABLE: Final = {
    "hips": _Joint(axes=_TRUNK, names=_TRUNK_NAMES, ranges_deg=(_FREE, _FREE, _FREE)),
    # AAOS, thoracic and lumbar spine: flexion 80, extension 25, bending 35, rotation 45. Kapandji: 105, 60, 40, 40. The
    # lowest joint bends most: it also stands for the sacrum, and marker sets see the lumbar bend there.
    "spine": _Joint(axes=_TRUNK, names=_TRUNK_NAMES, ranges_deg=((-30, 30), (-40, 75), (-35, 35))),
    "chest": _Joint(axes=_TRUNK, names=_TRUNK_NAMES, ranges_deg=((-25, 25), (-35, 40), (-30, 30))),
    # Wider than the thorax: it bears the base of the neck, and marker sets see the neck's lowest joints bend there.
    "upperChest": _Joint(axes=_TRUNK, names=_TRUNK_NAMES, ranges_deg=((-30, 30), (-45, 45), (-40, 40))),
    # AAOS, cervical spine: flexion 45, extension 45, bending 45, rotation 60. Kapandji: 65, 65, 45, 80 with the joints
    # below the skull. Two joints share it, and each can take most of it: a neck that leans under a level head.
    "neck": _Joint(axes=_TRUNK, names=_TRUNK_NAMES, ranges_deg=((-50, 50), (-55, 50), (-45, 45))),
    "head": _Joint(axes=_TRUNK, names=_TRUNK_NAMES, ranges_deg=((-50, 50), (-45, 50), (-40, 40))),
    # The shoulder girdle. Kapandji: elevation 30 and depression 10 of the collar bone's outer end, protraction and
    # retraction 30 each, rotation 30; Inman (1944): elevation 40, rotation 40. Wider by 5 to 25 for shrugs, for reach,
    # and because the girdle hangs on upperChest, whose bending it does not follow.
    "leftShoulder": _Joint(
        axes=("+X", "+Z", "-Y"),
        names=("rotation", "elevation", "protraction"),
        ranges_deg=((-45, 45), (-35, 60), (-40, 40)),
    ),
    # AAOS, shoulder (joint and girdle together): flexion 180, extension 60, abduction 180, horizontal flexion 135 and
    # extension 45, internal rotation 70, external 90. From the T-pose: 90 up (75 here, the girdle does the rest) and 90
    # down, 120 across the body. Rotation: an arm that was lifted forwards and one that was lifted sideways to the same
    # place differ by up to 180 (Codman's paradox), which adds to the 90 of external rotation.
    "leftUpperArm": _Joint(
        axes=("+X", "+Z", "-Y"),
        names=("internal rotation", "elevation", "horizontal flexion"),
        ranges_deg=((-180, 70), (-120, 75), (-45, 135)),
        centre_deg=(-60, -30, 45),
    ),
    # AAOS: flexion 150, extension 0 (hyperextension of 10 is common); forearm: pronation 80, supination 80. The palm
    # looks down in the T-pose, which is midway. Sideways only what the carrying angle needs.
    "leftLowerArm": _Joint(
        axes=("+X", "-Y", "-Z"),
        names=("pronation", "flexion", "adduction"),
        ranges_deg=((-100, 100), (-10, 155), (-10, 10)),
        centre_deg=(0, 75, 0),
    ),
    # AAOS: flexion 80, extension 70, ulnar deviation 30, radial 20. Wider by what hand markers read: the line from the
    # wrist to the knuckles is not the hand's axis. The wrist does not twist, but many rigs turn the forearm here.
    "leftHand": _Joint(
        axes=("+X", "-Z", "+Y"),
        names=("pronation", "flexion", "ulnar deviation"),
        ranges_deg=((-90, 90), (-80, 85), (-45, 60)),
    ),
    # AAOS: flexion 120, extension 30, abduction 45, adduction 30, rotation 45 both ways. Kapandji: passive flexion 140,
    # abduction of trained people up to 90 with the pelvis tilted, external rotation 60.
    "leftUpperLeg": _Joint(
        axes=("+Y", "-X", "+Z"),
        names=("external rotation", "flexion", "abduction"),
        ranges_deg=((-65, 65), (-40, 135), (-35, 85)),
        centre_deg=(0, 45, 0),
    ),
    # AAOS: flexion 135. Kapandji: 160 sitting on the heels, hyperextension 5 to 10; rotation of the bent knee: internal
    # 30, external 40. Sideways only tolerance.
    "leftLowerLeg": _Joint(
        axes=("+Y", "+X", "-Z"),
        names=("external rotation", "flexion", "adduction"),
        ranges_deg=((-30, 40), (-10, 160), (-10, 10)),
        centre_deg=(0, 75, 0),
    ),
    # AAOS: dorsiflexion 20, plantar flexion 50, inversion 35, eversion 15. In a lunge, with the weight on it, the ankle
    # gives 40 to 50 (Bennell et al. 1998, weight-bearing lunge); a dancer's points 70 with the middle of the foot.
    "leftFoot": _Joint(
        axes=("+Z", "-X", "-Y"),
        names=("eversion", "dorsiflexion", "adduction"),
        ranges_deg=((-40, 30), (-70, 55), (-45, 45)),
    ),
    # AAOS, joint of the great toe: extension 70, flexion 45; on tiptoe the body's weight extends it to 90.
    "leftToes": _Joint(
        axes=("+Z", "-X", "-Y"),
        names=("eversion", "extension", "adduction"),
        ranges_deg=((-10, 10), (-65, 90), (-10, 10)),
    ),
}


class _Frames(NamedTuple):
    """The table as arrays over the 22 joints."""

    axes: Floats  # (22, 3, 3) rows a, b, c
    centre_rad: Floats  # (22, 3): twist, b, c
    from_wxyz: Floats  # (22, 4, 4): quaternion -> its scalar, a, b, c as seen from the centre


def _rows() -> list[tuple[_Joint, bool]]:
    """The joint of the table for every joint of the skeleton, and whether it is its mirror image."""
    left = [name.replace("right", "left") for name in HUMANOID_22.joint_names]
    return [(_TABLE[row], row != name) for row, name in zip(left, HUMANOID_22.joint_names, strict=True)]


def _frames() -> _Frames:
    axes, centre = np.zeros((22, 3, 3)), np.zeros((22, 3))
    for j, (joint, mirrored) in enumerate(_rows()):
        for n, axis in enumerate(joint.axes):
            axes[j, n, "XYZ".index(axis[1])] = 1.0 if axis[0] == "+" else -1.0
        if mirrored:  # a turn about (x, y, z), seen in the mirror, is one about (x, -y, -z)
            axes[j] *= [1.0, -1.0, -1.0]
        centre[j] = np.radians(joint.centre_deg)
    centre_wxyz = rotvec_to_wxyz(_swing_rotvec(centre, axes))
    from_centre = np.stack([wxyz_multiply(wxyz_conjugate(centre_wxyz), unit) for unit in np.eye(4)], axis=-1)
    scalar_and_axes = np.zeros((22, 4, 4))
    scalar_and_axes[:, 0, 0], scalar_and_axes[:, 1:, 1:] = 1.0, axes
    return _Frames(axes=axes, centre_rad=centre, from_wxyz=scalar_and_axes @ from_centre)


def _swing_rotvec(angles: Floats, axes: Floats) -> Floats:
    """The rotation vectors (..., 22, 3), in the joint's axes at rest, of the second and third angle."""
    return np.asarray(np.einsum("...jn,jni->...ji", angles[..., 1:], axes[:, 1:]))


_FRAMES: Final = _frames()

ANGLE_NAMES: Final = tuple(joint.names for joint, _ in _rows())
"""(22, 3) what a positive angle of each joint is, in the order of the last axis of all arrays here."""

LIMITS_RAD: Final = np.radians(np.array([joint.ranges_deg for joint, _ in _rows()], dtype=np.float64).swapaxes(1, 2))
"""(22, 2, 3) lowest and highest value of each angle; two full turns for the hips, which are free."""
LIMITS_RAD.flags.writeable = False


class _Split(NamedTuple):
    """Rotations (..., 22) taken apart as seen from the centre."""

    twist: tuple[Floats, Floats]  # cos and sin of half the twist
    swing: tuple[Floats, Floats]  # quaternion parts about b and c: axis times sin of half the swing
    sin_half: Floats  # of the swing
    cos_half: Floats


def limit_angles(local_wxyz: ArrayLike) -> Floats:
    """Measure the angles of joints.

    Args:
        local_wxyz: (..., 22, 4) parent_from_joint on a rig of HUMANOID_22 with identity rest rotations.

    Returns:
        (..., 22, 3) radians: twist, swing about b, swing about c (``ANGLE_NAMES``); 0 in the T-pose.

    Raises:
        InputError: wrong shape, or a quaternion is zero.
    """
    split = _split(local_wxyz)
    twist = 2 * np.arctan2(split.twist[1], split.twist[0])
    swing = 2 * np.arctan2(split.sin_half, split.cos_half)
    scale = _ratio(swing, split.sin_half, at_zero=2.0)
    from_centre = np.stack([twist, split.swing[0] * scale, split.swing[1] * scale], axis=-1)
    from_centre[..., 0] = (twist - _FRAMES.centre_rad[:, 0] + np.pi) % (2 * np.pi) - np.pi
    return np.asarray(_FRAMES.centre_rad + from_centre)


def limit_angle_jacobians(local_wxyz: ArrayLike) -> Floats:
    """Differentiate ``limit_angles`` by a small turn in the joint's own frame: local * exp(delta).

    Args:
        local_wxyz: (..., 22, 4).

    Returns:
        (..., 22, 3, 3): row n is the gradient of angle n by delta (x, y, z), radians by radians. At a swing of 180
        degrees from the centre, which no joint reaches, derivatives do not exist and a large finite number stands.

    Raises:
        InputError: wrong shape, or a quaternion is zero.
    """
    split = _split(local_wxyz)
    (cos_half, sin_half), (b, c) = split.twist, split.swing
    cos_twist, sin_twist = cos_half * cos_half - sin_half * sin_half, 2 * cos_half * sin_half
    # Of a turn (delta_b, delta_c), taken through the twist, one part lengthens the swing, the other leads it around.
    axis_b, axis_c = _ratio(b, split.sin_half, at_zero=1.0), _ratio(c, split.sin_half, at_zero=0.0)
    along = axis_b * cos_twist + axis_c * sin_twist
    around = axis_b * sin_twist - axis_c * cos_twist
    swing = 2 * np.arctan2(split.sin_half, split.cos_half)
    sin_swing = 2 * split.sin_half * split.cos_half
    stretch = np.minimum(_ratio(swing, sin_swing, at_zero=1.0), _LONGEST)  # of the exponential map
    tan_half = np.minimum(_ratio(split.sin_half, split.cos_half, at_zero=_LONGEST), _LONGEST)
    jacobian = np.zeros((*b.shape, 3, 3))
    jacobian[..., 0, 0] = 1.0
    jacobian[..., 0, 1], jacobian[..., 0, 2] = tan_half * around, tan_half * along
    jacobian[..., 1, 1] = axis_b * along - axis_c * stretch * around
    jacobian[..., 1, 2] = -axis_b * around - axis_c * stretch * along
    jacobian[..., 2, 1] = axis_c * along + axis_b * stretch * around
    jacobian[..., 2, 2] = -axis_c * around + axis_b * stretch * along
    return np.asarray(jacobian @ _FRAMES.axes)


def excess_rad(local_wxyz: ArrayLike) -> Floats:
    """Measure how far angles lie beyond their ranges: (..., 22, 3), above the highest > 0, below the lowest < 0."""
    angles = limit_angles(local_wxyz)
    return np.asarray(angles - np.clip(angles, LIMITS_RAD[:, 0], LIMITS_RAD[:, 1]))


def clamped(local_wxyz: ArrayLike, *, slack_rad: ArrayLike = 0.0) -> Floats:
    """Hold rotations (..., 22, 4) within the ranges: each angle that lies beyond its range becomes the nearest in it.

    A joint within its ranges keeps its quaternion, bit for bit; the others have no excess at all afterwards. Ranges
    are wider at both ends by ``slack_rad`` (..., 22, 3), which is not below 0.
    """
    wxyz, slack = _checked(local_wxyz), np.asarray(slack_rad, dtype=np.float64)
    angles = limit_angles(wxyz)
    lowest, highest = LIMITS_RAD[:, 0] - slack, LIMITS_RAD[:, 1] + slack
    outside = (angles != np.clip(angles, lowest, highest)).any(axis=-1, keepdims=True)
    held = np.clip(angles, lowest + _INSIDE_RAD, highest - _INSIDE_RAD)
    return np.where(outside, _composed(held), wxyz)


def _composed(angles: Floats) -> Floats:
    """The rotations (..., 22, 4) that have these angles: the inverse of ``limit_angles``."""
    centre, axes = _FRAMES.centre_rad, _FRAMES.axes
    swung = wxyz_multiply(
        rotvec_to_wxyz(_swing_rotvec(centre, axes)), rotvec_to_wxyz(_swing_rotvec(angles - centre, axes))
    )
    return wxyz_multiply(swung, rotvec_to_wxyz(angles[..., :1] * axes[:, 0]))


def _split(local_wxyz: ArrayLike) -> _Split:
    """Take rotations apart into swing times twist, as seen from the centre."""
    parts = np.einsum("jki,...ji->k...j", _FRAMES.from_wxyz, wxyz_normalized(_checked(local_wxyz)))
    w, a, b, c = parts * np.where(parts[0] < 0, -1.0, 1.0)
    cos_half_swing = np.hypot(w, a)
    cos_half, sin_half = _ratio(w, cos_half_swing, at_zero=1.0), _ratio(a, cos_half_swing, at_zero=0.0)
    swing = b * cos_half - c * sin_half, c * cos_half + b * sin_half
    return _Split(
        twist=(cos_half, sin_half), swing=swing, sin_half=np.hypot(swing[0], swing[1]), cos_half=cos_half_swing
    )


def _ratio(over: Floats, under: Floats, at_zero: float) -> Floats:
    """``over / under``, and a stated value where ``under`` is 0."""
    return np.asarray(np.divide(over, under, out=np.full(np.shape(under), at_zero), where=under > 0))


def _checked(local_wxyz: ArrayLike) -> Floats:
    wxyz = np.asarray(local_wxyz, dtype=np.float64)
    if wxyz.ndim < 2 or wxyz.shape[-2:] != (len(HUMANOID_22), 4):
        raise InputError(f"local_wxyz must be (..., {len(HUMANOID_22)}, 4) of {HUMANOID_22.name}, got {wxyz.shape}")
    return wxyz
