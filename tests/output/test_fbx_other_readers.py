"""FBX against readers that we did not write: three.js, ufbx, FBX2glTF (Autodesk's SDK), Blender's two importers."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from characters import walking
from fbx_readers import assert_seen, see_with, tube

from mocap3d.base.mesh import deform
from mocap3d.motion.root_motion import carried_by
from mocap3d.output.fbx import write_fbx

RATES = (
    Fraction(24000, 1001),
    Fraction(24),
    Fraction(25),
    Fraction(30000, 1001),
    Fraction(30),
    Fraction(60000, 1001),
    Fraction(60),
    Fraction(120),
    Fraction(120000, 1001),
)
LIGHT_RATES = [(program, fps) for program in ("three", "ufbx") for fps in RATES]
LIGHT_RATES += [("fbx2gltf", fps) for fps in RATES if fps in (24, 30, 60)]  # it bakes no others


def cut(motion, fps, frames):
    """The first frames, played at another rate."""
    return replace(motion, fps=fps, local_wxyz=motion.local_wxyz[:frames], root_m=motion.root_m[:frames])


@pytest.mark.parametrize(
    ("which", "version", "skinned"),
    [("wild_motion", 7400, True), ("rested_motion", 7500, False), ("rested_motion", 7400, True)],
)
@pytest.mark.parametrize("program", ["three", "ufbx", "fbx2gltf"])
def test_others_put_joints_and_skin_where_we_do(program, which, version, skinned, request, tmp_path):
    """Catches a wrong PreRotation or Euler order, a rest pose other than the bind pose, weights on another bone."""
    motion = request.getfixturevalue(which)
    if program == "fbx2gltf":
        motion = replace(motion, fps=Fraction(30))  # it has no 29.97
    mesh = tube(motion.rig) if skinned else None
    path = tmp_path / "motion.fbx"
    write_fbx(motion, path, mesh=mesh, version=version)
    assert_seen(see_with(program, path, motion), motion, mesh)


@pytest.mark.parametrize(("program", "fps"), LIGHT_RATES, ids=str)
def test_others_play_every_rate(program, fps, wild_motion, tmp_path):
    """Catches a wrong number of a time mode, times that drift, one frame more or less."""
    motion = cut(wild_motion, fps, 25)
    path = tmp_path / "motion.fbx"
    write_fbx(motion, path)
    assert_seen(see_with(program, path, motion), motion, None)


@pytest.mark.parametrize("program", ["three", "ufbx"])
def test_one_frame_is_one_frame(program, wild_motion, tmp_path):
    """Catches a take without length that programs refuse or stretch."""
    motion = cut(wild_motion, Fraction(30), 1)
    path = tmp_path / "motion.fbx"
    write_fbx(motion, path)
    assert_seen(see_with(program, path, motion), motion, None)


# Blender's old importer divides by fps where fps / fps_base would be right: with 29.97 its keys stand between frames.
BLENDER_RATES = [("blender new", fps) for fps in RATES] + [
    ("blender old", fps) for fps in RATES if fps.denominator == 1
]


@pytest.mark.blender
@pytest.mark.parametrize(("which", "version"), [("wild_motion", 7500), ("rested_motion", 7400)])
@pytest.mark.parametrize("program", ["blender new", "blender old"])
def test_blender_puts_joints_and_skin_where_we_do(program, which, version, request, blender_python, tmp_path):
    """Catches a body that lies down, is a hundred times too large, or has its skin bound in another pose."""
    motion = replace(request.getfixturevalue(which), fps=Fraction(30))
    mesh = tube(motion.rig)
    path = tmp_path / "motion.fbx"
    write_fbx(motion, path, mesh=mesh, version=version)
    seen = see_with(program, path, motion)
    placed_m, seen.corners_m = seen.corners_m, None  # Blender keeps the order of the vertices
    assert_seen(seen, motion, None)
    np.testing.assert_allclose(placed_m, deform(mesh, motion), rtol=0, atol=1e-5)


@pytest.mark.blender
@pytest.mark.parametrize("program", ["blender new", "blender old"])
def test_hips_above_a_root_travel_in_blender(program, blender_python, tmp_path):
    """Catches hips that stay at the height of their rest: Blender ties bones that rest on their parent's Y axis to it.

    A root bone below the hips is such a parent (``--root root``); the way of what is tied is left out.
    """
    motion = carried_by(walking(seconds=0.5), "root")
    path = tmp_path / "motion.fbx"
    write_fbx(motion, path)
    assert_seen(see_with(program, path, motion), motion, None)


@pytest.mark.blender
@pytest.mark.parametrize(("program", "fps"), BLENDER_RATES, ids=str)
def test_blender_plays_every_rate(program, fps, wild_motion, blender_python, tmp_path):
    """Catches keys between Blender's frames, and a scene at another rate."""
    motion = cut(wild_motion, fps, 25)
    path = tmp_path / "motion.fbx"
    write_fbx(motion, path)
    assert_seen(see_with(program, path, motion), motion, None)
