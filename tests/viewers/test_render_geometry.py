"""What is drawn is where it must be: lenses, viewpoints, skin, floor."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import cv2
import numpy as np
import pytest
from characters import restless, walking
from drawn_scenes import LENSES, SIZE, black_video, camera, centroid, one_at_a_time, points
from mocap3d.viewers.render import Look, View, render_picture, render_sheet
from mocap3d.viewers.render.figures import figure_of_motion, figure_of_points
from mocap3d.viewers.render.floor import grid, shadow
from mocap3d.viewers.render.lens import bent
from mocap3d.viewers.render.scene import Filmed, Scene
from mocap3d.viewers.render.surfaces import balls, rods
from mocap3d.viewers.render.views import orbit

import mocap3d
from mocap3d.base.errors import InputError
from mocap3d.base.mesh import deform
from mocap3d.base.projection import px_to_rays
from mocap3d.output.mannequin import mannequin
from mocap3d.output.presets import roles

OVERLAY = View(kind="overlay")


def places(lens: str) -> np.ndarray:
    """Points all over the picture, near its corners too, 3 to 6 m away."""
    eye = camera(lens)
    xy_px = np.array([(x, y) for x in (25.3, 110.1, 214.6, 294.8) for y in (22.4, 119.7, 216.9)])
    rays = px_to_rays(eye, xy_px)
    depth_m = np.linspace(3, 6, len(rays))[:, None]
    return (np.c_[rays * depth_m, np.ones(len(rays))] @ eye.world_from_cam.T)[:, :3]


def by_opencv(eye, xyz_m):
    """Where OpenCV projects points."""
    turn = cv2.Rodrigues(eye.cam_from_world[:3, :3])[0]
    args = (np.ascontiguousarray(xyz_m)[:, None], turn, eye.cam_from_world[:3, 3].copy())
    if eye.model == "fisheye":
        return cv2.fisheye.projectPoints(*args, eye.K.copy(), eye.distortion.copy())[0][:, 0]
    return cv2.projectPoints(*args, eye.K.copy(), eye.distortion.copy())[0][:, 0]


@pytest.mark.parametrize("lens", LENSES)
def test_the_drawn_joint_is_where_opencv_projects_it(lens, tmp_path, drawing):
    """Catches a lens that is ignored, half a pixel lost on the way to OpenGL, fx for fy, a mirrored picture."""
    eye, xyz_m = camera(lens), places(lens)
    figure = figure_of_points(one_at_a_time(xyz_m), "point")
    video = black_video(tmp_path / "black.mp4", len(xyz_m))
    scene = Scene(figures=(figure,), fps=Fraction(30), filmed=(Filmed(camera=eye, video=video),))
    row = render_sheet(scene, columns=len(xyz_m), view=OVERLAY, look=Look(style="joints"))
    drawn = np.array([centroid(row[:, n * SIZE[0] : (n + 1) * SIZE[0]]) for n in range(len(xyz_m))])
    off_px = np.linalg.norm(drawn - by_opencv(eye, xyz_m), axis=1)
    assert off_px.max() < 0.4  # 2 are promised; half a pixel must be noticed
    straight = np.linalg.norm(
        drawn - by_opencv(replace(eye, model="brown-conrady", distortion=np.zeros(0)), xyz_m), axis=1
    )
    assert lens == "pinhole" or straight.max() > 4  # so that a lens that is ignored would be noticed


def test_an_overlay_of_another_size_keeps_joints_in_place(tmp_path, drawing):
    """Catches intrinsics that are scaled without the half pixel, and a picture that is stretched to fit."""
    eye, xyz_m = camera("barrel"), places("barrel")[:1]
    scene = Scene(
        figures=(figure_of_points(one_at_a_time(xyz_m), "point"),),
        fps=Fraction(30),
        filmed=(Filmed(camera=eye, video=black_video(tmp_path / "black.mp4")),),
    )
    picture = render_picture(scene, view=OVERLAY, look=Look(style="joints"), size=(1000, 480))
    assert picture.shape == (480, 640, 3)
    assert np.linalg.norm(centroid(picture) - ((by_opencv(eye, xyz_m)[0] + 0.5) * 2 - 0.5)) < 1.0


@pytest.mark.parametrize("lens", LENSES)
def test_what_a_lens_does_not_show_is_left_out(lens):
    """Catches NaN that reaches OpenGL, and a body behind the camera that is folded into the picture."""
    eye = camera(lens)
    behind_m = (np.array([[0.2, 0.1, -2.0, 1], [0.0, 0.0, 4.0, 1]]) @ eye.world_from_cam.T)[:, :3]
    surface = bent(balls(behind_m, 0.3, np.ones((2, 3))), eye)
    assert np.isfinite(surface.vertices_m).all()
    if lens != "pinhole":  # which OpenGL clips itself
        assert len(surface.triangles) == len(balls(behind_m[1:], 0.3, np.ones((1, 3))).triangles)
        assert surface.triangles.min() >= len(surface.vertices_m) // 2


def test_skin_is_where_the_sdk_puts_it():
    """Catches skinning of our own that drifts from that of the files: weights, rest pose, doubled vertices."""
    motion = restless(frames=6)
    mesh = mannequin(motion.rig, roles(motion.rig))
    figure = figure_of_motion(motion, "restless")
    assert (figure.start, figure.stop) == (motion.start_frame, motion.start_frame + 6)
    truth_m = deform(mesh, motion)
    for n in range(6):
        surface = figure.surface(figure.start + n)
        corners = surface.vertices_m[surface.triangles]
        np.testing.assert_allclose(corners, truth_m[n][mesh.triangles], atol=1e-9)
    assert figure.surface(figure.start - 1) is None
    assert figure.surface(figure.stop) is None


def surfaces():
    """One of each kind, with what normals must agree with."""
    rng = np.random.default_rng(3)
    motion = walking(0.2)
    yield "balls", balls(rng.normal(size=(4, 3)), 0.1, np.ones((4, 3)))
    yield "rods", rods(rng.normal(size=(5, 3)), rng.normal(size=(5, 3)), 0.1, np.ones((5, 3)))
    yield "skin", figure_of_motion(motion, "walker").surface(2)
    yield "grid", grid(camera(), np.zeros(3), 4.0, np.ones(3), 0.5)
    yield "shadow", shadow([figure_of_motion(motion, "walker").surface(2)], 0.0, 1.7)


@pytest.mark.parametrize(
    ("name", "surface"), list(surfaces()), ids=lambda value: value if isinstance(value, str) else ""
)
def test_triangles_face_outwards(name, surface):
    """Catches triangles that OpenGL culls: lines of the floor in one direction only, bodies seen from inside."""
    surface = dict(surfaces())[name]
    corners = surface.vertices_m[surface.triangles]
    across = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    along = np.einsum("fa,fa->f", across, surface.normals[surface.triangles].mean(axis=1))
    real = np.linalg.norm(across, axis=1) > 1e-9 * np.linalg.norm(across, axis=1).max()
    assert (along[real] > 0).mean() > (0.995 if name == "skin" else 0.9999)


def test_the_shadow_is_darkest_under_the_feet():
    """Catches a shadow that is mirrored, shifted, or as dark below a raised hand as below a sole."""
    motion = walking(1.0)
    body = figure_of_motion(motion, "walker")
    feet = [body.skeleton.index(name) for name in ("leftFoot", "rightFoot")]
    heights_m = body.joints_m[:, feet, 1]
    frame = int(np.abs(heights_m[:, 0] - heights_m[:, 1]).argmax())  # one foot is as high as it gets
    standing_m = body.joints_at(frame)[feet[int(heights_m[frame].argmin())]]
    dark = shadow([body.surface(frame)], 0.0, 1.7)
    below = dark.vertices_m[dark.rgba[:, 3].argmax()]
    assert np.linalg.norm((below - standing_m)[[0, 2]]) < 0.2
    assert below[1] == 0
    assert 0.3 < dark.rgba[:, 3].max() <= 1
    assert dark.rgba[:, 3].min() >= 0


@pytest.mark.parametrize(
    "view", [View(), View(kind="turntable"), View(follow=True), View(azimuth_deg=90, elevation_deg=40)]
)
def test_a_camera_of_its_own_shows_everybody_large(view):
    """Catches a head that is cut off, people who walk out of the picture, and people the size of ants."""
    motion = walking(4.0)
    scene = Scene(figures=(figure_of_motion(motion, "walker"),), fps=motion.fps)
    frames = list(scene.frames)
    eyes = list(orbit(scene, view, frames, (640, 480)))
    assert len(eyes) == len(frames)
    most = np.zeros(2)
    for frame, eye in list(zip(frames, eyes, strict=True))[::7]:
        xyz = scene.surfaces(frame)[0].vertices_m @ eye.cam_from_world[:3, :3].T + eye.cam_from_world[:3, 3]
        assert xyz[:, 2].min() > 0
        xy_px = (xyz @ eye.K.T)[:, :2] / xyz[:, 2:]
        assert (xy_px >= 0).all()
        assert (xy_px <= [639, 479]).all()
        most = np.maximum(most, np.ptp(xy_px, axis=0) / [640, 480])
    assert most.max() > (0.4 if view.follow is not True else 0.7)


def test_a_turntable_goes_around_once_at_one_distance():
    """Catches a turn that stops short, doubles its last picture, or comes nearer on the way."""
    motion = walking(1.0)
    scene = Scene(figures=(figure_of_motion(motion, "walker"),), fps=motion.fps)
    eyes = list(orbit(scene, View(kind="turntable", azimuth_deg=0, follow=False), [3] * 12, (640, 480)))
    places_m = np.array([eye.world_from_cam[:3, 3] for eye in eyes])
    middle_m = places_m.mean(axis=0)
    radii_m = np.linalg.norm(places_m - middle_m, axis=1)
    np.testing.assert_allclose(radii_m, radii_m[0], rtol=1e-6)
    steps = np.linalg.norm(np.diff(places_m, axis=0, append=places_m[:1]), axis=1)
    np.testing.assert_allclose(steps, steps[0], rtol=1e-6)


def test_azimuth_and_elevation_mean_what_is_said():
    """Catches a camera on the other side: 0 looks along -Z, 90 along -X, and a positive elevation looks down."""
    motion = walking(0.5)
    scene = Scene(figures=(figure_of_motion(motion, "walker"),), fps=motion.fps)
    for azimuth, ahead in ((0.0, (0, 0, -1)), (90.0, (-1, 0, 0))):
        eye = next(orbit(scene, View(azimuth_deg=azimuth, elevation_deg=0), [4], (320, 240)))
        np.testing.assert_allclose(eye.cam_from_world[2, :3], ahead, atol=1e-12)
        np.testing.assert_allclose(eye.cam_from_world[1, :3], (0, -1, 0), atol=1e-12)
    assert next(orbit(scene, View(elevation_deg=30), [4], (320, 240))).cam_from_world[2, 1] == pytest.approx(-0.5)
    with pytest.raises(InputError, match="elevation_deg"):
        View(elevation_deg=95)


def test_people_are_seen_from_ahead():
    """Catches a default view of somebody's back, whichever way they walk."""
    motion = walking(1.0)
    figure = figure_of_motion(motion, "walker")  # along +Z
    for turn in (0, 90, 180, 270):
        c, s = np.cos(np.deg2rad(turn)), np.sin(np.deg2rad(turn))
        turned = replace(figure, joints_m=figure.joints_m @ np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]]).T)
        eye = next(orbit(Scene(figures=(turned,), fps=motion.fps), View(elevation_deg=0), [5], (320, 240)))
        assert np.dot(eye.cam_from_world[2, :3], [-s, 0, -c]) == pytest.approx(np.cos(np.deg2rad(32)), abs=0.15)


def test_a_person_with_gaps_is_drawn_as_far_as_seen():
    """Catches NaN that reaches OpenGL or the search for a viewpoint."""
    xyz_m = np.random.default_rng(0).normal(size=(5, 17, 3)) + [0, 1, 0]
    xyz_m[1, 5:] = np.nan
    xyz_m[3] = np.nan
    figure = figure_of_points(points(xyz_m), "gaps")
    whole, part = figure.surface(0), figure.surface(1)
    assert np.isfinite(part.vertices_m).all()
    assert 0 < len(part.triangles) < len(whole.triangles)
    assert figure.surface(3) is None
    eyes = list(orbit(Scene(figures=(figure,), fps=Fraction(30)), View(follow=True), range(5), (320, 240)))
    assert all(np.isfinite(eye.cam_from_world).all() for eye in eyes)


def test_markers_of_an_unknown_body_are_not_joined():
    """Catches rods from the first marker of a C3D file to all others."""
    names = ("A", "B", "C", "D")
    xyz_m = np.random.default_rng(4).normal(size=(2, 4, 3))
    triangles: dict[tuple[int, ...], list[int]] = {}
    for tree in ((-1, 0, 0, 0), (-1, 0, 1, 2)):
        skeleton = mocap3d.Skeleton(name="odd", joint_names=names, parents=tree, mirror=(0, 1, 2, 3))
        ones = np.ones((2, 4))
        pose = mocap3d.Pose3D(
            xyz_m=xyz_m, confidence=ones, std_m=0 * ones, views=ones.astype(int), fps=Fraction(30), skeleton=skeleton,
            frame="world",
        )  # fmt: skip
        figure = figure_of_points(pose, "odd")
        triangles[tree] = [len(figure.surface(0, style).triangles) for style in ("joints", "skeleton")]
    assert triangles[-1, 0, 0, 0][0] == triangles[-1, 0, 0, 0][1]
    assert triangles[-1, 0, 1, 2][0] < triangles[-1, 0, 1, 2][1]
