"""What other programs want of a body: names, axes, units, rest pose, root bone; one small file each.

```
dressed = dress(motion, preset_named("ue5"))
```
"""

from __future__ import annotations

from mocap3d.output.presets.dressing import dress, roles
from mocap3d.output.presets.preset import Bone, Preset, load_preset, preset_named, preset_names

__all__ = ["Bone", "Preset", "dress", "load_preset", "preset_named", "preset_names", "roles"]
