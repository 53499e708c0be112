"""Taking noise off motion, in seconds and hertz: offline without a shift in time, live with as little as can be.

```
from mocap3d.motion.filters import Butterworth, filter_motion, filter_points

smooth_m = filter_points(xyz_m, fps=30, how=Butterworth(cutoff_hz=6.0))
motion = filter_motion(motion)  # per limb: the trunk below 5 Hz, hands below 10
```
"""

from mocap3d.motion.filters.limbs import (
    FilterSettings,
    LimbCutoffs,
    filter_motion,
    filter_pose,
    filter_settings_from_text,
)
from mocap3d.motion.filters.live import LIVE_POINTS, LIVE_ROTATIONS, OneEuro, OneEuroRotations, OneEuroSettings
from mocap3d.motion.filters.offline import (
    Butterworth,
    Filter,
    Gaussian,
    Robust,
    filter_points,
    filter_wxyz,
    outliers,
)

__all__ = [
    "LIVE_POINTS",
    "LIVE_ROTATIONS",
    "Butterworth",
    "Filter",
    "FilterSettings",
    "Gaussian",
    "LimbCutoffs",
    "OneEuro",
    "OneEuroRotations",
    "OneEuroSettings",
    "Robust",
    "filter_motion",
    "filter_points",
    "filter_pose",
    "filter_settings_from_text",
    "filter_wxyz",
    "outliers",
]
