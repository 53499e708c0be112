"""SMPL, SMPL-H and SMPL-X: body models that the user brings, fitted to joints and motions, and turned into motions.

```
model = read_smpl_model("models", kind="smplh", gender="male")
parameters = fit_smpl(motion, model)
motion = smpl_to_motion(parameters, model)
```

``docs/smpl.md`` says where the models come from and what their licence allows.
"""

from __future__ import annotations

from mocap3d.motion.smpl.files import WHERE_TO_GET
from mocap3d.motion.smpl.fit import SmplFitSettings, fit_smpl
from mocap3d.motion.smpl.forward import smpl_joints_m, smpl_vertices_m
from mocap3d.motion.smpl.model import SmplModel, SmplSurface, read_smpl_model
from mocap3d.motion.smpl.motion import smpl_mesh, smpl_rig, smpl_to_motion
from mocap3d.motion.smpl.skeletons import SMPL_ROLES, is_smpl, smpl_skeleton

__all__ = [
    "SMPL_ROLES",
    "WHERE_TO_GET",
    "SmplFitSettings",
    "SmplModel",
    "SmplSurface",
    "fit_smpl",
    "is_smpl",
    "read_smpl_model",
    "smpl_joints_m",
    "smpl_mesh",
    "smpl_rig",
    "smpl_skeleton",
    "smpl_to_motion",
    "smpl_vertices_m",
]
