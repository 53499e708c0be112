"""Movies, pictures and sheets: what is in the files, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import av
import numpy as np
import pytest
from characters import walking
from drawn_scenes import SIZE, black_video, camera, clip, off, points
from mocap3d.viewers.render import (
    Look,
    View,
    frames_between,
    read_scene,
    render_movie,
    render_picture,
    render_sheet,
    scene_of_clip,
    write_png,
)
from mocap3d.viewers.render.movie import png_bytes
from mocap3d.viewers.render.scene import Filmed, Scene
from videos import write_video

import mocap3d
from mocap3d.base.errors import InputError

OVERLAY = View(kind="overlay")
SMALL = (160, 120)


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    """A second of nothing."""
    return black_video(tmp_path_factory.mktemp("video") / "black.mp4", 30)


@pytest.fixture(scope="module")
def scene(video):
    """Somebody walks in front of a camera with a strong lens."""
    return scene_of_clip(clip(video, "barrel"))


def decoded(path):
    """All pictures of a movie, and the facts of its stream."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        facts = {
            "codec": stream.codec_context.name,
            "pixels": stream.codec_context.pix_fmt,
            "fps": stream.average_rate,
            "frames": stream.frames,
            "seconds": float(stream.duration * stream.time_base),
            "size": (stream.width, stream.height),
        }
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(stream)], facts


def test_a_movie_is_what_every_player_takes(scene, tmp_path, drawing):
    """Catches a lost last picture, a wrong rate, wrong colours, pixels that phones do not take."""
    told = []
    path = render_movie(
        scene, tmp_path / "m.mp4", frames=range(4, 16), size=SMALL, progress=lambda *step: told.append(step)
    )
    pictures, facts = decoded(path)
    assert facts == {
        "codec": "h264", "pixels": "yuv420p", "fps": 30, "frames": 12, "seconds": pytest.approx(0.4), "size": SMALL
    }  # fmt: skip
    assert len(pictures) == 12
    assert told == [("render", n, 12) for n in range(13)]
    # One frame is drawn by the camera of its own; that of a movie sees all of it, so the movie of one frame compares.
    one = render_movie(scene, tmp_path / "one.mp4", frames=range(9, 10), size=SMALL)
    mean, block = off(decoded(one)[0][0], render_picture(scene, 9, size=SMALL))
    assert mean < 3
    assert block < 14
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["m.mp4", "one.mp4"]


@pytest.mark.parametrize(("fps", "frames"), [("15", 15), ("60", 60), (Fraction(30000, 1001), 30), (24, 24)])
def test_a_movie_at_another_rate_lasts_as_long(scene, tmp_path, fps, frames, drawing):
    """Catches slow motion by accident."""
    pictures, facts = decoded(render_movie(scene, tmp_path / "m.mp4", fps=fps, size=(32, 32)))
    assert len(pictures) == frames
    assert facts["fps"] == Fraction(fps)
    assert facts["seconds"] == pytest.approx(1.0, abs=0.04)


def test_a_turntable_of_one_frame_lasts_six_seconds(scene, tmp_path, drawing):
    """Catches a turntable of a single pose that is over at once."""
    view = View(kind="turntable")
    pictures, facts = decoded(render_movie(scene, tmp_path / "m.mp4", frames=range(7, 8), size=(32, 32), view=view))
    assert (len(pictures), facts["seconds"]) == (180, pytest.approx(6.0))
    assert off(pictures[0], pictures[90])[0] > 2


def test_an_interrupted_movie_leaves_nothing(scene, tmp_path, drawing):
    """Catches half a movie after Ctrl-C, under its own name or a temporary one."""

    def stop(_step, done, _total):
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        render_movie(scene, tmp_path / "m.mp4", size=SMALL, progress=stop)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("size", "message"),
    [((8, 200), "16 to 8192"), ((9000, 200), "16 to 8192"), ((8000, 8000), "16.8 million"), ((161, 120), "even")],
)
def test_sizes_out_of_range_are_refused(scene, tmp_path, size, message):
    """Catches a crash in the encoder or in OpenGL, and gigabytes asked for by a slip."""
    with pytest.raises(InputError, match=message):
        render_movie(scene, tmp_path / "m.mp4", size=size)
    assert list(tmp_path.iterdir()) == []


def test_what_a_movie_cannot_be_is_refused(scene, tmp_path):
    """Catches names, rates and backgrounds that would fail late or be ignored."""
    with pytest.raises(InputError, match=r"\.mp4"):
        render_movie(scene, tmp_path / "m.gif", size=SMALL)
    with pytest.raises(InputError, match="frames per second"):
        render_movie(scene, tmp_path / "m.mp4", fps=1000, size=SMALL)
    with pytest.raises(InputError, match="transparent"):
        render_movie(scene, tmp_path / "m.mp4", look=Look(background="transparent"))
    with pytest.raises(InputError, match="cannot write"):
        render_movie(scene, tmp_path / "nowhere" / "m.mp4", size=SMALL)
    with pytest.raises(InputError, match=r"\.png"):
        write_png(np.zeros((4, 4, 3), np.uint8), tmp_path / "m.jpg")
    for wrong in ({"style": "clay"}, {"colours": "rainbow"}, {"background": "pink"}, {"opacity": 0.0}):
        with pytest.raises(InputError, match=next(iter(wrong))):
            Look(**wrong)


def test_frames_and_cameras_that_are_not_there_are_refused(scene, video):
    """Catches a picture of another frame or through another camera than was asked for."""
    with pytest.raises(InputError, match="0 to 29"):
        render_picture(scene, 30)
    with pytest.raises(InputError, match="no camera 'back'; there are: front"):
        render_picture(scene, view=View(kind="overlay", camera="back"))
    with pytest.raises(InputError, match="knows no camera"):
        render_picture(replace(scene, filmed=()), view=OVERLAY)
    with pytest.raises(InputError, match="which video"):
        render_picture(replace(scene, filmed=(Filmed(camera=camera()),)), view=OVERLAY)
    other = Filmed(camera=camera(size_wh_px=(64, 48)), video=video)
    with pytest.raises(InputError, match="has pictures of"):
        render_picture(replace(scene, filmed=(other,)), view=OVERLAY)
    with pytest.raises(InputError, match="at least one row"):
        render_sheet(scene, columns=0)
    with pytest.raises(InputError, match="nothing to draw"):
        render_sheet(scene, frames=range(5, 5))
    assert frames_between(scene, "0.5s", 20) == range(15, 20)
    with pytest.raises(InputError, match="0 to 29"):
        frames_between(scene, 40, None)


def test_nobody_in_the_picture_is_a_picture_too(video, drawing):
    """Catches a crash where people are gone for a while, and where nobody was ever seen."""
    early = points(np.random.default_rng(1).normal(size=(2, 17, 3)))
    from mocap3d.viewers.render.figures import figure_of_points

    figures = (figure_of_points(early, "early"), figure_of_points(early, "late", start=6))
    gap = Scene(figures=figures, fps=Fraction(30), filmed=(Filmed(camera=camera(), video=video),))
    assert off(render_picture(gap, 4, view=OVERLAY), np.zeros((SIZE[1], SIZE[0], 3)))[1] < 2
    floor = render_picture(gap, 4, size=SMALL)
    assert floor.shape == (120, 160, 3)
    never = points(np.full((3, 17, 3), np.nan))
    nobody = Scene(figures=(figure_of_points(never, "nobody"),), fps=Fraction(30))
    assert render_picture(nobody, size=SMALL).min() > 150  # lines of the floor at most


def test_a_transparent_sheet_looks_the_same_on_white(scene, drawing):
    """Catches opacity that is squared by blending, colours multiplied twice, and a shadow that papers lose."""
    view, sheet = View(azimuth_deg=0), {"columns": 3, "size": (96, 128)}
    clear = render_sheet(scene, view=view, look=Look(background="transparent"), **sheet).astype(float)
    assert clear.shape == (128, 288, 4)
    assert clear[0, 0, 3] == 0
    assert clear[..., 3].max() == 255
    part = (clear[..., 3] > 20) & (clear[..., 3] < 200)
    assert part.mean() > 0.01  # shadows and lines
    on_white = clear[..., :3] * clear[..., 3:] / 255 + 255 - clear[..., 3:]
    mean, block = off(on_white, render_sheet(scene, view=view, look=Look(background="white"), **sheet))
    assert mean < 0.5
    assert block < 3
    bare = render_sheet(scene, view=view, look=Look(background="transparent", floor=False), **sheet)
    assert (bare[..., 3] > 0).mean() < (clear[..., 3] > 0).mean() - 0.05


def test_a_sheet_shows_the_first_and_the_last_moment(scene, drawing):
    """Catches a sheet that stops before the end, or runs column by column."""
    sheet = render_sheet(scene, columns=2, rows=2, view=OVERLAY, size=SIZE)
    tiles = [sheet[y : y + 240, x : x + 320] for y in (0, 240) for x in (0, 320)]
    for tile, frame in zip(tiles, (0, 10, 19, 29), strict=True):
        assert off(tile, render_picture(scene, frame, view=OVERLAY))[1] < 1


def test_beside_shows_the_video_and_the_person(tmp_path, drawing):
    """Catches halves that are swapped or of different moments."""
    grays = [np.full((SIZE[1], SIZE[0], 3), 40 + 6 * n, np.uint8) for n in range(30)]
    beside = scene_of_clip(clip(write_video(tmp_path / "gray.mp4", grays)))
    picture = render_picture(beside, 20, view=View(kind="beside"), look=Look(background="dark"), size=(640, 240))
    assert picture.shape == (240, 640, 3)
    assert abs(int(picture[120, 160].mean()) - 160) <= 3
    assert picture[:, 320:].std() > 8
    clear = render_picture(beside, 20, view=View(kind="beside"), look=Look(background="transparent"), size=(640, 240))
    assert clear.shape == (240, 640, 3)


@pytest.mark.parametrize("shift_s", [0.0, 0.5, -0.2])
def test_cameras_of_a_take_show_the_same_moment(tmp_path, shift_s):
    """Catches an overlay of several cameras whose videos began at different times."""
    grays = [np.full((SIZE[1], SIZE[0], 3), 5 * n, np.uint8) for n in range(40)]
    path = write_video(tmp_path / "gray.mp4", grays)
    filmed = Filmed(camera=camera(), video=path, shift_s=shift_s)
    wanted = [0, 3, 3, 11, 24]
    shown = [round(picture.mean() / 5) for picture in filmed.pictures(wanted, Fraction(30))]
    expected = [frame + round(30 * shift_s) for frame in wanted]
    assert shown == [n if n >= 0 else 26 for n in expected]  # 26: gray, where the video had not begun


def test_a_take_knows_when_each_video_began(video):
    """Catches offsets with the wrong sign: what is later in a video that began earlier."""
    taken = clip(video)
    rig = (replace(taken.cameras[0], name="a"), replace(taken.cameras[0], name="front"))
    shot = mocap3d.Shot(start=12, stop=42)  # frame 12 of video a is the first that both have
    person = replace(taken.performances[0], motion=replace(walking(1.0), start_frame=12))
    settings = {"videos": ["a.mp4", "b.mp4"], "offsets_s": [0.0, 0.4], "start_s": 0.4}
    take = replace(taken, rig=rig, shots=(shot,), performances=(person,), settings=settings)
    best, other = scene_of_clip(take).filmed  # the one that saw the people best comes first
    assert (best.camera.name, best.video.name) == ("front", "b.mp4")
    assert best.shift_s + 12 / 30 == pytest.approx(0.0)  # b begins there
    assert other.shift_s + 12 / 30 == pytest.approx(0.4)


@pytest.mark.parametrize("ending", [".bvh", ".glb", ".npz", ".trc"])
def test_every_kind_of_file_can_be_drawn(tmp_path, ending, drawing):
    """Catches a reader whose result nobody can show, and people of one file who are drawn as one."""
    motion = walking(0.3)
    if ending == ".trc":
        mocap3d.write(points(np.random.default_rng(2).normal(size=(9, 17, 3)) + [0, 1, 0]), tmp_path / "a.trc")
    else:
        mocap3d.write({"one": motion, "two": motion}, tmp_path / f"a{ending}")
    scene = read_scene(tmp_path / f"a{ending}")
    assert len(scene.figures) == (1 if ending == ".trc" else 2)
    assert len(scene.frames) == 9
    if ending != ".trc":
        assert len(read_scene(tmp_path / f"a{ending}", person=2).figures) == 1
        with pytest.raises(InputError, match="no person 3"):
            read_scene(tmp_path / f"a{ending}", person=3)
    assert render_picture(scene, size=SMALL).std() > 3


def test_png_is_read_by_opencv(tmp_path):
    """Catches swapped channels and lost opacity."""
    import cv2

    rng = np.random.default_rng(0)
    for channels in (3, 4):
        picture = rng.integers(0, 255, (7, 9, channels), dtype=np.uint8)
        read = cv2.imdecode(np.frombuffer(png_bytes(picture), np.uint8), cv2.IMREAD_UNCHANGED)
        order = [2, 1, 0, 3][:channels]
        np.testing.assert_array_equal(read[..., order], picture)
    write_png(picture, tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes() == png_bytes(picture)
