"""A camera's lens for a renderer that knows pinholes only.

Vertices are moved, not pictures: each one goes to where a pinhole with the camera's focal length and principal point
shows it on the very pixel on which the lens shows it, at the depth that it has. Nothing is resampled, so pictures stay
sharp, and a joint is drawn where `project` says; between vertices edges stay straight, which at the size of our
triangles is far below a pixel.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from mocap3d.viewers.render.surfaces import Surface

from mocap3d.base.camera import Camera
from mocap3d.base.projection import project

__all__ = ["bent", "pinhole", "scaled"]


def bent(surface: Surface, camera: Camera) -> Surface:
    """Move vertices as the lens shows them; triangles that it does not show are left out."""
    if not _bends(camera):
        return surface
    xy_px, shown = project(camera, surface.vertices_m)
    depth = surface.vertices_m @ camera.cam_from_world[2, :3] + camera.cam_from_world[2, 3]
    K = camera.K
    flat = (xy_px - K[:2, 2]) / [K[0, 0], K[1, 1]]
    in_camera = np.concatenate([flat, np.ones_like(flat[:, :1])], axis=1) * depth[:, None]
    world_from_cam = camera.world_from_cam
    vertices_m = np.where(shown[:, None], in_camera, 0.0) @ world_from_cam[:3, :3].T + world_from_cam[:3, 3]
    return replace(surface, vertices_m=vertices_m, triangles=surface.triangles[shown[surface.triangles].all(axis=1)])


def pinhole(camera: Camera) -> Camera:
    """What is left for the renderer: no distortion, no skew."""
    K = camera.K.copy()
    K[0, 1] = 0.0
    return replace(camera, model="brown-conrady", distortion=np.zeros(0), K=K)


def scaled(camera: Camera, size_wh_px: tuple[int, int]) -> Camera:
    """The same camera with pictures of another size."""
    factor = np.array(size_wh_px) / camera.size_wh_px
    K = camera.K.copy()
    K[:2, :2] *= factor[:, None]
    K[:2, 2] = (K[:2, 2] + 0.5) * factor - 0.5  # (0, 0) is the centre of a pixel
    return replace(camera, size_wh_px=size_wh_px, K=K)


def _bends(camera: Camera) -> bool:
    return camera.model == "fisheye" or bool(camera.distortion.any()) or bool(camera.K[0, 1])
