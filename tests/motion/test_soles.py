import dataclasses
from fractions import Fraction

import numpy as np

from mocap3d.base.humanoid import HUMANOID_RIG
from mocap3d.base.motion import Motion
from mocap3d.motion.soles import sole_height_m

REST_HIPS_M = HUMANOID_RIG.offsets_m[0, 1]


def standing(heights_m, contacts):
    """A T-pose whose soles lie at the given heights (T,)."""
    frames = len(heights_m)
    root_m = np.stack([np.zeros(frames), REST_HIPS_M + np.asarray(heights_m), np.zeros(frames)], axis=-1)
    wxyz = np.tile([1.0, 0, 0, 0], (frames, 22, 1))
    planted = np.repeat(np.asarray(contacts, float)[:, None], 4, axis=1)
    return Motion(rig=HUMANOID_RIG, fps=Fraction(30), local_wxyz=wxyz, root_m=root_m, contacts=planted)


def test_planted_soles_near_the_floor_decide():
    """Catches a floor lifted by a jump, or by somebody on a roof."""
    jumper = standing([0.03] * 6 + [0.5] * 20, [1] * 6 + [0] * 20)
    on_roof = standing([2.0] * 40, [1] * 40)
    assert abs(sole_height_m([jumper, on_roof]) - 0.03) < 1e-9


def test_without_contacts_all_frames_count():
    """Catches an empty median where nobody ever plants a foot."""
    motion = standing([0.1, 0.2, 0.4], [0, 0, 0])
    assert abs(sole_height_m([motion]) - 0.2) < 1e-9
    assert abs(sole_height_m([dataclasses.replace(motion, contacts=None)]) - 0.2) < 1e-9
