"""Camera files: our own TOML, and those of other programs; the content tells which, not the name.

```
cameras = read_cameras("Calib.qca.txt")
write_cameras(cameras, "rig.toml")
```

What every reader returns: OpenCV axes, metres, a world with +Y up, and (0, 0) at the centre of the top-left pixel.
"""

from __future__ import annotations

from mocap3d.cameras.files.any_format import FORMATS, read_cameras, write_cameras

__all__ = ["FORMATS", "read_cameras", "write_cameras"]
