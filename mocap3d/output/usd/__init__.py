"""USD with UsdSkel: a skeleton, its animation and, if wanted, a skinned mesh; .usda (text), .usdc (binary), .usdz.

Written in metres, +Y up, one time code for each frame from 0 on, ``timeCodesPerSecond`` the frame rate. Joint paths are
made of ASCII identifiers, as every reader takes them; the true names stand in ``jointNames``. Rotations and places are
float32, as the schema has them. Tips are left out: UsdSkel has joints only.

Needs the extra mocap3d[usd] (usd-core). OpenUSD reads the files, in a process of its own: of a damaged file it may not
come to an end, or crash.

Reference:
    UsdSkel schemas, https://openusd.org/release/api/_usd_skel__schemas.html
"""

from __future__ import annotations

from mocap3d.output.usd.process import UsdProcess, read_usd
from mocap3d.output.usd.writer import write_usd

__all__ = ["UsdProcess", "read_usd", "write_usd"]
