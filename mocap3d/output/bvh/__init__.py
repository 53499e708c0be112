"""BVH, Biovision's text format: a skeleton, then Euler angles frame by frame."""

from mocap3d.output.bvh.reader import read_bvh
from mocap3d.output.bvh.writer import write_bvh

__all__ = ["read_bvh", "write_bvh"]
