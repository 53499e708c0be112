"""The figure of the mannequin: tables of rings along the limbs, in statures, and who moves them."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.mesh import Material
from mocap3d.base.skeletons import HUMANOID_22
from mocap3d.output.mannequin_head import head_parts
from mocap3d.output.mannequin_landmarks import TRUNK_HEIGHTS, Landmarks
from mocap3d.output.mannequin_shapes import Part, joined, loft, smoothstep
from mocap3d.output.mannequin_weld import ARM_SIDES, TRUNK_SIDES, sewn

__all__ = ["MATERIALS", "SHORTS", "figure"]

Floats = NDArray[np.float64]

MATERIALS: Final = (
    Material(name="body", rgb=(0.54, 0.43, 0.35)),
    Material(name="shirt", rgb=(0.045, 0.22, 0.27)),
    Material(name="shorts", rgb=(0.030, 0.038, 0.055)),
    Material(name="shoes", rgb=(0.030, 0.038, 0.055)),
    Material(name="features", rgb=(0.020, 0.016, 0.014)),
)
"""What the figure is made of; the parts name them by index."""

_BODY, _SHIRT, SHORTS, _SHOES = range(4)

# height | half width | front | back                                  the trunk, from the crotch into the skull
_TRUNK: Final = np.array([
    (0.4680, 0.0300, 0.030, 0.036),
    (0.4800, 0.0600, 0.046, 0.054),
    (0.5000, 0.0850, 0.056, 0.066),
    (0.5230, 0.0945, 0.058, 0.071),
    (0.5480, 0.0930, 0.057, 0.067),
    (0.5730, 0.0850, 0.055, 0.058),
    (0.5970, 0.0775, 0.053, 0.050),
    (0.6220, 0.0745, 0.052, 0.046),
    (0.6500, 0.0765, 0.054, 0.047),
    (0.6850, 0.0835, 0.058, 0.053),
    (0.7200, 0.0910, 0.063, 0.060),
    (0.7530, 0.0985, 0.065, 0.063),
    (0.7800, 0.1015, 0.059, 0.062),
    (0.8020, 0.1010, 0.052, 0.058),
    (0.8180, 0.0965, 0.045, 0.052),
    (0.8290, 0.0830, 0.038, 0.046),
    (0.8380, 0.0600, 0.033, 0.040),
    (0.8490, 0.0400, 0.031, 0.036),
    (0.8600, 0.0350, 0.031, 0.034),
    (0.8800, 0.0325, 0.030, 0.033),
    (0.9000, 0.0320, 0.029, 0.034),
    (0.9150, 0.0200, 0.018, 0.022),
])  # fmt: skip
_TRUNK_ENDS: Final = (0.464, 0.918)
_WAIST, _COLLAR = 0.605, 0.845  # shirt between, shorts below

# bone + fraction | up | down | front | back | centre lowered         clavicle 0, upper arm 1, forearm 2, hand 3
_ARM: Final = np.array([
    (1.00, 0.0255, 0.0290, 0.0325, 0.0335, 0.0060),
    (1.08, 0.0262, 0.0300, 0.0335, 0.0342, 0.0042),
    (1.16, 0.0272, 0.0308, 0.0338, 0.0346, 0.0022),
    (1.32, 0.0280, 0.0305, 0.0315, 0.0315, 0.0),
    (1.50, 0.0265, 0.0280, 0.0300, 0.0290, 0.0),
    (1.68, 0.0250, 0.0260, 0.0280, 0.0270, 0.0),
    (1.84, 0.0235, 0.0240, 0.0250, 0.0250, 0.0),
    (1.93, 0.0230, 0.0230, 0.0235, 0.0245, 0.0),
    (2.00, 0.0230, 0.0230, 0.0235, 0.0240, 0.0),
    (2.08, 0.0235, 0.0230, 0.0250, 0.0240, 0.0),
    (2.22, 0.0245, 0.0235, 0.0275, 0.0240, 0.0),
    (2.40, 0.0230, 0.0220, 0.0260, 0.0225, 0.0),
    (2.60, 0.0195, 0.0190, 0.0220, 0.0200, 0.0),
    (2.80, 0.0160, 0.0155, 0.0185, 0.0175, 0.0),
    (2.93, 0.0142, 0.0138, 0.0172, 0.0165, 0.0),
    (3.00, 0.0138, 0.0135, 0.0175, 0.0168, 0.0),
    (3.10, 0.0138, 0.0140, 0.0200, 0.0190, 0.0),
    (3.26, 0.0138, 0.0145, 0.0235, 0.0220, 0.0005),
    (3.44, 0.0128, 0.0135, 0.0245, 0.0235, 0.0015),
    (3.60, 0.0115, 0.0120, 0.0240, 0.0235, 0.0035),
    (3.76, 0.0100, 0.0105, 0.0225, 0.0225, 0.0065),
    (3.89, 0.0085, 0.0088, 0.0190, 0.0195, 0.0100),
    (3.965, 0.0055, 0.0058, 0.0125, 0.0130, 0.0125),
])  # fmt: skip
_SLEEVE = 1.50
_ARM_BLENDS: Final = ((0.70, 1.30), (1.89, 2.11), (2.90, 3.10))  # where the next bone takes over

# bone + fraction | out | in | front | back                           thigh 0, shin 1
_LEG: Final = np.array([
    (-0.130, 0.0200, 0.0220, 0.0230, 0.0260),
    (-0.090, 0.0320, 0.0330, 0.0380, 0.0440),
    (-0.030, 0.0400, 0.0420, 0.0490, 0.0570),
    (0.040, 0.0430, 0.0460, 0.0530, 0.0640),
    (0.120, 0.0440, 0.0480, 0.0545, 0.0640),
    (0.200, 0.0440, 0.0490, 0.0545, 0.0600),
    (0.300, 0.0430, 0.0470, 0.0530, 0.0545),
    (0.430, 0.0405, 0.0425, 0.0500, 0.0490),
    (0.580, 0.0370, 0.0375, 0.0450, 0.0435),
    (0.720, 0.0330, 0.0330, 0.0400, 0.0390),
    (0.840, 0.0305, 0.0305, 0.0365, 0.0350),
    (0.930, 0.0290, 0.0295, 0.0355, 0.0320),
    (1.000, 0.0285, 0.0290, 0.0355, 0.0310),
    (1.070, 0.0280, 0.0285, 0.0330, 0.0320),
    (1.150, 0.0285, 0.0285, 0.0295, 0.0365),
    (1.270, 0.0300, 0.0295, 0.0275, 0.0415),
    (1.400, 0.0290, 0.0285, 0.0260, 0.0400),
    (1.550, 0.0250, 0.0250, 0.0240, 0.0325),
    (1.700, 0.0210, 0.0210, 0.0220, 0.0255),
    (1.830, 0.0187, 0.0187, 0.0205, 0.0220),
    (1.930, 0.0180, 0.0180, 0.0200, 0.0220),
    (2.000, 0.0180, 0.0180, 0.0200, 0.0215),
    (2.050, 0.0140, 0.0140, 0.0150, 0.0160),
])  # fmt: skip
_HEM = 0.58
_LEG_BLENDS: Final = ((-0.10, 0.06), (0.89, 1.11), (1.84, 2.04))

# ahead of the ankle | half width | top                               the shoe; the toes' joint lies at 0.0715
_SHOE: Final = np.array([
    (-0.0385, 0.0110, 0.0290),
    (-0.0340, 0.0180, 0.0410),
    (-0.0250, 0.0235, 0.0500),
    (-0.0100, 0.0260, 0.0560),
    (0.0080, 0.0268, 0.0565),
    (0.0240, 0.0272, 0.0510),
    (0.0420, 0.0285, 0.0425),
    (0.0580, 0.0298, 0.0365),
    (0.0715, 0.0305, 0.0325),
    (0.0850, 0.0295, 0.0285),
    (0.0980, 0.0255, 0.0240),
    (0.1080, 0.0185, 0.0185),
    (0.1130, 0.0100, 0.0125),
])  # fmt: skip
_SHOE_TIP: Final = 0.1142
_THUMB: Final = ((0.0, 0.0075), (0.25, 0.0098), (0.5, 0.0090), (0.72, 0.0086), (0.9, 0.0062))  # fraction | radius


def figure(body: Landmarks) -> Part:
    """Build the whole figure in the body's frame; weights are for the joints of HUMANOID_22."""
    other = body.mirrored()
    parts = [sewn(_trunk(body), _arm(body), _mirror_image(_arm(other)), _SHIRT), *head_parts(body)]
    for one in (body, other):
        limbs = joined([_thumb(one), _leg(one), _shoe(one)])
        parts.append(limbs if one is body else _mirror_image(limbs))
    return joined(parts)


def _trunk(body: Landmarks) -> Part:
    s = body.stature
    heights = _TRUNK[:, 0]
    centers = np.array([_on_trunk(body, height) for height in heights])
    frames = np.broadcast_to(np.array([[-1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]), (len(heights), 2, 3))
    radii = _TRUNK[:, [1, 1, 2, 3]] * s
    ends = np.array([_on_trunk(body, height) for height in _TRUNK_ENDS])
    part = loft(centers, frames, radii, ends, sides=TRUNK_SIDES)
    vertex_heights = np.concatenate([np.repeat(heights, TRUNK_SIDES), _TRUNK_ENDS])
    material = np.where(_of_triangles(part, vertex_heights) < _WAIST, SHORTS, _SHIRT)
    material[_of_triangles(part, vertex_heights) > _COLLAR] = _BODY
    weights = _trunk_weights(vertex_heights, part.vertices / s)
    return Part(vertices=part.vertices, triangles=part.triangles, weights=weights, material=material)


def _trunk_weights(heights: Floats, places: Floats) -> Floats:
    """Spread the trunk's vertices over its joints, and a little over collar bones and thighs; places in statures."""
    weights = np.zeros((len(heights), len(HUMANOID_22)))
    names = list(TRUNK_HEIGHTS)[:-1]
    knots = np.array([TRUNK_HEIGHTS[name] for name in names])
    reach = 0.5 * np.minimum(np.diff(knots, prepend=0.47), np.diff(knots, append=1.0))
    left = np.ones(len(heights))  # what no higher joint has taken
    for name, knot, width in reversed(list(zip(names, knots, reach, strict=True))):
        share = smoothstep(heights, knot - width, knot + width) if name != "hips" else np.ones(len(heights))
        weights[:, HUMANOID_22.index(name)] = share * left
        left = left * (1 - share)
    for side, out in (("left", 1.0), ("right", -1.0)):
        x = out * places[:, 0]
        collar = 0.75 * smoothstep(x, 0.02, 0.09) * smoothstep(heights, 0.74, 0.81) * (heights < 0.85)
        thigh = 0.5 * smoothstep(x, 0.015, 0.075) * smoothstep(-heights, -0.55, -0.48)
        for name, share in ((f"{side}Shoulder", collar), (f"{side}UpperLeg", thigh)):
            weights *= 1 - share[:, None]
            weights[:, HUMANOID_22.index(name)] += share
    return weights


def _arm(body: Landmarks) -> Part:
    names = ("leftShoulder", "leftUpperArm", "leftLowerArm", "leftHand")
    path = np.array([body.at[name] for name in (*names, "leftHandTip")])
    table = _ARM * [1.0, *[body.stature] * 5]
    centers, frames = _along(path, table[:, 0])
    centers = centers - table[:, 5:] * frames[:, 0]
    ends = _along(path, np.array([0.9, 3.99]))[0] - np.outer(
        [0.014 * body.stature, 0.0135 * body.stature], frames[-1, 0]
    )
    part = loft(centers, frames, table[:, 1:5], ends, sides=ARM_SIDES)
    along = np.concatenate([np.repeat(table[:, 0], ARM_SIDES), [0.9, 3.99]])
    material = np.where(_of_triangles(part, along) < _SLEEVE, _SHIRT, _BODY)
    weights = _chain_weights(along, names, _ARM_BLENDS)
    return Part(vertices=part.vertices, triangles=part.triangles, weights=weights, material=material)


def _thumb(body: Landmarks) -> Part:
    s = body.stature
    path = np.array([body.at["leftHand"], body.at["leftHandTip"]])
    start, (frame, *_) = _along(path, np.array([0.10]))
    along = np.cross(frame[0], frame[1])
    forward = 0.70 * along + 0.66 * frame[1] - 0.28 * frame[0]
    forward /= np.linalg.norm(forward)
    base = start[0] + s * (0.010 * frame[1] - 0.003 * frame[0])
    length = 0.50 * float(np.linalg.norm(path[1] - path[0]))
    steps, widths = np.array(_THUMB).T
    centers = base + np.outer(steps * length, forward)
    side = np.cross(frame[1], forward)
    side /= np.linalg.norm(side)
    frames = np.broadcast_to(np.stack([side, np.cross(forward, side)]), (len(steps), 2, 3))
    radii = np.repeat(widths[:, None] * s, 4, axis=1)
    ends = np.stack([base - 0.004 * s * forward, base + length * forward])
    part = loft(centers, frames, radii, ends, sides=8)
    return _whole(part, "leftHand", _BODY)


def _leg(body: Landmarks) -> Part:
    path = np.array([body.at[name] for name in ("leftUpperLeg", "leftLowerLeg", "leftFoot")])
    table = _LEG * [1.0, *[body.stature] * 4]
    centers, frames = _along(path, table[:, 0])
    steps = np.array([-0.15, 2.07])
    part = loft(centers, frames, table[:, 1:], _along(path, steps)[0], sides=12)
    along = np.concatenate([np.repeat(table[:, 0], 12), steps])
    material = np.where(_of_triangles(part, along) < _HEM, SHORTS, _BODY)
    weights = _chain_weights(along, ("hips", "leftUpperLeg", "leftLowerLeg", "leftFoot"), _LEG_BLENDS)
    return Part(vertices=part.vertices, triangles=part.triangles, weights=weights, material=material)


def _shoe(body: Landmarks) -> Part:
    """Stand the shoe on the sole, which is as deep as the tip of the toes."""
    s = body.stature
    ankle, tip = body.at["leftFoot"], body.at["leftToesTip"]
    ahead = (tip - ankle) * [1.0, 0.0, 1.0]
    length = float(np.linalg.norm(ahead))
    ahead = ahead / length if length > 0.02 * s else np.array([0.0, 0.0, 1.0])
    stretch = max(length, 0.05 * s) / _SHOE_TIP
    rise = max(float(ankle[1] - tip[1]), 0.02 * s) / 0.039  # statures, if the ankle were as high as on average
    steps = _SHOE[:, 0] * np.where(_SHOE[:, 0] > 0, stretch, s)
    tops = _SHOE[:, 2] * rise
    sole = np.array([0.0, min(float(tip[1]), float(ankle[1]) - 0.02 * s), 0.0]) + ankle * [1.0, 0.0, 1.0]
    up = np.array([0.0, 1.0, 0.0])
    frames = np.broadcast_to(np.stack([np.cross(up, ahead), up]), (len(steps), 2, 3))
    centers = sole + np.outer(steps, ahead) + np.outer(0.42 * tops, up)
    radii = np.stack([_SHOE[:, 1] * s, _SHOE[:, 1] * s, 0.58 * tops, 0.42 * tops], axis=-1)
    ends = sole + np.outer([-0.0405 * s, _SHOE_TIP * stretch], ahead) + np.outer([0.014 * rise, 0.005 * rise], up)
    part = loft(centers, frames, radii, ends, sides=12, flat=0.45)
    along = np.concatenate([np.repeat(_SHOE[:, 0], 12), [-0.0405, _SHOE_TIP]])
    weights = np.zeros((len(along), len(HUMANOID_22)))
    toes = smoothstep(along, 0.058, 0.085)
    weights[:, HUMANOID_22.index("leftFoot")], weights[:, HUMANOID_22.index("leftToes")] = 1 - toes, toes
    material = np.full(len(part.triangles), _SHOES)
    return Part(vertices=part.vertices, triangles=part.triangles, weights=weights, material=material)


def _on_trunk(body: Landmarks, height: float) -> Floats:
    """Find the centre line of the trunk at a height in statures of the average body."""
    knots = list(TRUNK_HEIGHTS.values())
    places = np.array([body.at[name] for name in TRUNK_HEIGHTS])
    below = min(0.0, height - knots[0]) * body.stature
    return np.array([np.interp(height, knots, places[:, axis]) for axis in range(3)]) + [0.0, below, 0.0]


def _along(path: Floats, steps: Floats) -> tuple[Floats, Floats]:
    """Walk along a limb: step 1.25 is a quarter into its second bone; beyond the ends it goes straight on.

    Returns:
        Places (N, 3), and frames (N, 2, 3): the first across limb and front, the second as far to the front as it can.
    """
    bones = np.diff(path, axis=0)
    which = np.clip(np.floor(steps).astype(int), 0, len(bones) - 1)
    places = path[which] + (steps - which)[:, None] * bones[which]
    units = bones / np.maximum(np.linalg.norm(bones, axis=-1, keepdims=True), 1e-12)
    near = np.clip(np.round(steps).astype(int), 0, len(bones))
    before, after = units[np.maximum(near - 1, 0)], units[np.minimum(near, len(bones) - 1)]
    share = smoothstep(steps - near, -0.2, 0.2)[:, None]
    along = before * (1 - share) + after * share
    along /= np.maximum(np.linalg.norm(along, axis=-1, keepdims=True), 1e-12)
    front = np.array([0.0, 0.0, 1.0]) - along * along[:, 2:]
    weak = np.linalg.norm(front, axis=-1) < 0.1  # the limb itself points to the front: take up instead
    front[weak] = (np.array([0.0, 1.0, 0.0]) - along * along[:, 1:2])[weak]
    front /= np.linalg.norm(front, axis=-1, keepdims=True)
    return places, np.stack([np.cross(front, along), front], axis=1)


def _chain_weights(along: Floats, names: tuple[str, ...], blends: tuple[tuple[float, float], ...]) -> Floats:
    """Hand a limb from bone to bone: the next one takes over between the two steps of its blend."""
    weights = np.zeros((len(along), len(HUMANOID_22)))
    left = np.ones(len(along))
    for name, (low, high) in reversed(list(zip(names[1:], blends, strict=True))):
        share = smoothstep(along, low, high)
        weights[:, HUMANOID_22.index(name)] = share * left
        left = left * (1 - share)
    weights[:, HUMANOID_22.index(names[0])] = left
    return weights


def _of_triangles(part: Part, of_vertices: Floats) -> Floats:
    corners = of_vertices[part.triangles]
    return np.asarray((corners.min(axis=1) + corners.max(axis=1)) / 2)  # the same for both halves of a quad


def _whole(part: Part, name: str, material: int) -> Part:
    """Let one joint move a part of one material."""
    weights = np.zeros((len(part.vertices), len(HUMANOID_22)))
    weights[:, HUMANOID_22.index(name)] = 1.0
    painted = np.full(len(part.triangles), material)
    return Part(vertices=part.vertices, triangles=part.triangles, weights=weights, material=painted)


def _mirror_image(part: Part) -> Part:
    """Reflect a left limb to the right."""
    return Part(
        vertices=part.vertices * [-1.0, 1.0, 1.0],
        triangles=part.triangles[:, ::-1],
        weights=part.weights[:, list(HUMANOID_22.mirror)],
        material=part.material,
    )
