"""Any motion that a file must carry: random rigs and names, turns near none and near a half, one frame, one joint."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from mocap3d.base.motion import Motion
from mocap3d.base.rig import Rig
from mocap3d.base.skeleton import Skeleton

__all__ = ["ANGLES", "NAMES", "RATES", "motions"]

NAMES = st.lists(
    st.text(st.sampled_from("aZ_:- .ä腕|/\\'"), min_size=1, max_size=6), min_size=1, max_size=5, unique=True
)
RATES = st.sampled_from([Fraction(24), Fraction(30000, 1001), Fraction(120), Fraction(143, 7)])
ANGLES = st.sampled_from([0.0, 1e-9, 1e-4, 1.0, np.pi / 2, 3.0, np.pi - 1e-4, np.pi - 1e-9, np.pi])


@st.composite
def motions(draw):
    """Any rig of one to five joints, in one to four frames; turns near none, a quarter and a half favoured."""
    names = tuple(draw(NAMES))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    joints, frames = len(names), draw(st.integers(1, 4))
    parents = tuple(-1 if j == 0 else int(rng.integers(0, j)) for j in range(joints))
    skeleton = Skeleton(name="any", joint_names=names, parents=parents, mirror=tuple(range(joints)))

    def turns(count):
        axes = rng.normal(size=(count, 3)) if draw(st.booleans()) else np.eye(3)[rng.integers(0, 3, count)]
        angles = [draw(ANGLES) for _ in range(count)]
        axes = axes / np.linalg.norm(axes, axis=1, keepdims=True)
        return Rotation.from_rotvec(axes * np.array(angles)[:, None]).as_quat(scalar_first=True)

    rig = Rig(skeleton=skeleton, offsets_m=rng.normal(size=(joints, 3)), rest_wxyz=turns(joints))
    moving = draw(st.booleans())
    return Motion(
        rig=rig,
        fps=draw(RATES),
        local_wxyz=turns(frames * joints).reshape(frames, joints, 4),
        root_m=rng.normal(size=(frames, 3)),
        local_m=rng.normal(size=(frames, joints, 3)) if moving else None,
    )
