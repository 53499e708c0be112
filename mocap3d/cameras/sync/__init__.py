"""When did each camera start? From the motion that all of them saw, or from what their microphones heard."""

from __future__ import annotations

from mocap3d.cameras.sync.audio import compare_sounds, read_sound, sync_audio
from mocap3d.cameras.sync.motion import sync_motion
from mocap3d.cameras.sync.moving import MotionSyncSettings
from mocap3d.cameras.sync.offsets import PairOffset, Sync, combine
from mocap3d.cameras.sync.rays import RaySyncSettings, sync_rays
from mocap3d.cameras.sync.together import synchronised

__all__ = [
    "MotionSyncSettings",
    "PairOffset",
    "RaySyncSettings",
    "Sync",
    "combine",
    "compare_sounds",
    "read_sound",
    "sync_audio",
    "sync_motion",
    "sync_rays",
    "synchronised",
]
