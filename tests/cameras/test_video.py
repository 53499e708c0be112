"""Reading video. The oracle is the gray level that each frame was written with, or OpenCV's own reader."""

from __future__ import annotations

import gc
import os
import struct
import warnings
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from mocap3d import examples
from mocap3d.base.errors import FileFormatError, InputError, Mocap3dWarning
from mocap3d.cameras.video import open_video


def _corner_pictures(count=3, width=64, height=48):
    """Black, with a red top left, a green top right and a blue bottom left corner."""
    picture = np.zeros((height, width, 3), dtype=np.uint8)
    picture[:16, :16, 0] = picture[:16, -16:, 1] = picture[-16:, :16, 2] = 255
    return [picture] * count


def _corners(picture):
    """Which colour stands in which corner: top left, top right, bottom left, bottom right."""
    spots = [picture[4:12, 4:12], picture[4:12, -12:-4], picture[-12:-4, 4:12], picture[-12:-4, -12:-4]]
    means = [spot.reshape(-1, 3).mean(axis=0) for spot in spots]
    return "".join("rgb"[int(mean.argmax())] if mean.max() > 120 else "-" for mean in means)


def test_the_demo_clip_is_read_whole_at_its_rate():
    """Catches a lost first or last frame (B-frames held back by the decoder) and BGR instead of RGB."""
    video = open_video(examples.path())
    pictures = list(video)
    assert (video.size_wh_px, video.fps, video.frame_count, len(pictures)) == ((1552, 536), Fraction(30), 126, 126)
    capture = cv2.VideoCapture(str(examples.path()))
    for picture in pictures:
        found, bgr = capture.read()
        assert found
        assert np.abs(picture.astype(int) - bgr[..., ::-1]).mean() < 3
    assert not capture.read()[0]
    assert all(picture.dtype == np.uint8 and picture.flags.c_contiguous for picture in pictures)


@pytest.mark.parametrize(
    "fps", [Fraction(30), Fraction(30000, 1001), Fraction(60), Fraction(25), Fraction(24000, 1001)]
)
@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".avi"])
def test_constant_rates_are_exact_and_one_to_one(tmp_path, write, grays, number, fps, suffix):
    """Catches 29.97 turned into 30, a rate from rounded milliseconds (mkv), and frames doubled by resampling."""
    video = open_video(write(tmp_path / f"a{suffix}", grays(40), fps=fps))
    assert (video.fps, video.is_uniform) == (fps, True)
    assert [number(picture) for picture in video] == list(range(40))


def test_variable_rate_is_resampled_by_the_nearest_time_stamp(tmp_path, write, grays, number):
    """Catches frames taken one by one, by file position, or by "the last one shown" instead of the nearest."""
    rng = np.random.default_rng(3)
    pts = np.cumsum(rng.choice([33, 33, 33, 34, 67, 12, 140], size=60)) + 500
    video = open_video(write(tmp_path / "vfr.mkv", grays(60), pts=[int(t) for t in pts]))
    assert not video.is_uniform
    assert video.fps == 30
    times_ms = pts[0] + np.arange(int((pts[-1] - pts[0]) * 0.03 + 0.5) + 1) * 1000 / 30
    expected = [int(np.argmin(np.abs(pts - t))) for t in times_ms]
    assert [number(picture) for picture in video] == expected
    assert video.frame_count == len(expected)
    assert len(set(expected)) < 60 < len(expected)  # the case does leave out and repeat frames


def test_a_long_pause_is_filled_by_repetition(tmp_path, write, grays, number):
    """Catches time lost where a screen recorder wrote nothing because nothing moved."""
    pts = [0, 40, 80, 120, 1120, 1160, 1200]
    video = open_video(write(tmp_path / "pause.mkv", grays(7), pts=pts))
    assert video.fps == 25
    assert video.frame_count == 31
    assert [number(picture) for picture in video] == [0, 1, 2] + [3] * 13 + [4] * 13 + [5, 6]


def test_jitter_of_a_phone_is_not_a_variable_rate(tmp_path, write, grays, number):
    """Catches frames doubled and dropped because time stamps tremble by a few milliseconds."""
    jitter = np.random.default_rng(1).integers(-6, 7, size=50)
    pts = [int(round(1000 * i / 30) + 20 + d) for i, d in enumerate(jitter)]
    video = open_video(write(tmp_path / "phone.mkv", grays(50), pts=pts))
    assert [number(picture) for picture in video] == list(range(50))


def test_another_rate_can_be_asked_for(tmp_path, write, grays, number):
    """Catches fps that relabels a video instead of resampling it (slow motion by accident)."""
    path = write(tmp_path / "a.mp4", grays(60), fps=Fraction(60))
    half = open_video(path, fps=30)
    assert [number(picture) for picture in half] == list(range(0, 60, 2))
    twice = open_video(path, fps=120)
    assert (twice.frame_count, len(list(twice))) == (120, 120)
    with pytest.raises(InputError, match="above 0"):
        open_video(path, fps=0)


@pytest.mark.parametrize(
    ("start", "stop", "expected"),
    [
        (10, 13, [10, 11, 12]),
        ("10", "13", [10, 11, 12]),
        (None, 2, [0, 1]),
        (38, None, [38, 39]),
        (38, 1000, [38, 39]),
        ("1s", "1.1s", [30, 31, 32]),
        ("0:01", "0:01.1", [30, 31, 32]),
        ("1.01s", 33, [31, 32]),
    ],
)
def test_ranges(tmp_path, write, grays, number, start, stop, expected):
    """Catches ranges that are off by one, include their end, or mix frames with seconds."""
    video = open_video(write(tmp_path / "a.mp4", grays(40)), start=start, stop=stop)
    assert [number(picture) for picture in video] == expected
    assert (video.frame_count, video.start_frame) == (len(expected), expected[0])


@pytest.mark.parametrize(
    ("start", "stop"), [(40, None), (5, 5), (7, 3), (-1, None), (2.5, None), ("abc", None), ("-2s", 9)]
)
def test_ranges_without_frames_are_refused(tmp_path, write, grays, start, stop):
    """Catches an empty video, or a negative index that counts from the end, instead of an error."""
    path = write(tmp_path / "a.mp4", grays(40))
    with pytest.raises(InputError, match=r"0 to 39|must be a frame"):
        open_video(path, start=start, stop=stop)


@pytest.mark.parametrize("rotation", [90, 180, -90, 270])
def test_rotation_is_applied_as_opencv_applies_it(tmp_path, write, rotation):
    """Catches rotation ignored, applied the wrong way round, or a size that is not swapped with it."""
    path = write(tmp_path / "turned.mp4", _corner_pictures(), rotation=rotation)
    video = open_video(path)
    picture = next(iter(video))
    bgr = cv2.VideoCapture(str(path)).read()[1]  # OpenCV turns pictures by the metadata on its own
    assert picture.shape == bgr.shape == (*video.size_wh_px[::-1], 3)
    assert _corners(picture) == _corners(bgr[..., ::-1])
    assert _corners(picture) != "rgb-"


@pytest.mark.parametrize(
    ("matrix", "expected"),
    [
        ((0, 1, -1, 0), "br-g"),  # what a phone held upright writes: a quarter turn clockwise
        ((-1, 0, 0, 1), "gr-b"),  # a selfie: mirrored left to right
        ((1, 0, 0, -1), "b-rg"),  # upside down mirror
        ((0, 1, 1, 0), "rbg-"),  # transposed
    ],
)
def test_every_display_matrix_of_quarter_turns_and_mirrors(tmp_path, write, matrix, expected):
    """Catches mirrored videos shown unmirrored, left hands becoming right hands."""
    path = write(tmp_path / "m.mp4", _corner_pictures())  # the matrix is patched into it
    data = path.read_bytes()
    at = data.index(b"tkhd") + 4 + 4 + 20 + 8 + 8  # version and flags, times and ids, reserved, layer .. volume
    a, b, c, d = (value << 16 for value in matrix)
    words = [a, b, 0, c, d, 0, 0, 0, 1 << 30]
    assert data[at : at + 4] == (1 << 16).to_bytes(4, "big")
    patched = b"".join(word.to_bytes(4, "big", signed=True) for word in words)
    path.write_bytes(data[:at] + patched + data[at + 36 :])
    assert _corners(next(iter(open_video(path)))) == expected


def _jpeg_with_exif(picture, orientation):
    """A JPEG whose APP1 segment, written by hand, holds one entry: the orientation."""
    tiff = b"II*\0" + struct.pack("<IHHHIII", 8, 1, 0x112, 3, 1, orientation, 0)
    body = b"Exif\0\0" + tiff
    jpeg = cv2.imencode(".jpg", picture[..., ::-1])[1].tobytes()
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + jpeg[2:]


@pytest.mark.parametrize(
    ("orientation", "expected"),
    [(1, "rgb-"), (2, "gr-b"), (3, "-bgr"), (4, "b-rg"), (5, "rbg-"), (6, "br-g"), (7, "-gbr"), (8, "g-rb")],
)
def test_pictures_with_exif(tmp_path, orientation, expected):
    """Catches a traceback over EXIF, which PyAV has no name for, and pictures turned or mirrored wrongly by it."""
    jpeg = _jpeg_with_exif(_corner_pictures()[0], orientation)
    (tmp_path / "photo.jpg").write_bytes(jpeg)
    with av.open(str(tmp_path / "motion.avi"), "w") as sink:
        stream = sink.add_stream("mjpeg", rate=30)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuvj420p"
        for index in range(3):
            packet = av.Packet(jpeg)
            packet.stream, packet.pts, packet.dts, packet.time_base = stream, index, index, Fraction(1, 30)
            sink.mux(packet)
    for name, count in (("photo.jpg", 1), ("motion.avi", 3)):
        video = open_video(tmp_path / name)
        assert (len(list(video)), video.is_picture) == (count, count == 1)
        assert _corners(next(iter(video))) == expected


def test_pixels_become_square(tmp_path, write, grays):
    """Catches people squeezed to 2/3 of their width by an anamorphic file."""
    video = open_video(write(tmp_path / "wide.mp4", grays(3), aspect=Fraction(3, 2)))
    assert video.size_wh_px == (96, 48)
    assert next(iter(video)).shape == (48, 96, 3)


@pytest.mark.parametrize(
    ("codec", "pix_fmt", "suffix"),
    [
        ("ffv1", "gray", ".mkv"),
        ("libx264", "yuv444p", ".mkv"),
        ("libx264", "yuv422p10le", ".mkv"),
        ("ffv1", "gray16le", ".mkv"),
        ("ffv1", "rgba64le", ".mkv"),
        ("ffv1", "gbrp12le", ".mkv"),
        ("mjpeg", "yuvj420p", ".avi"),
        ("rawvideo", "bgr24", ".avi"),
    ],
)
def test_pixel_formats_become_8_bit_rgb(tmp_path, write, grays, number, codec, pix_fmt, suffix):
    """Catches 10-bit, gray or alpha videos that crash or come out dark."""
    path = write(tmp_path / f"a{suffix}", grays(4), codec=codec, pix_fmt=pix_fmt)
    pictures = list(open_video(path))
    assert [number(picture) for picture in pictures] == [0, 1, 2, 3]
    assert {(picture.shape, picture.dtype.name) for picture in pictures} == {((48, 64, 3), "uint8")}


def test_odd_sizes_and_a_single_frame(tmp_path, write, grays):
    """Catches rounding to even sizes, and a division by the zero duration of one frame."""
    video = open_video(write(tmp_path / "a.mkv", grays(1, (3, 3)), codec="ffv1", pix_fmt="bgr0"))
    assert (video.size_wh_px, video.frame_count, video.fps) == ((3, 3), 1, 30)
    assert [picture.shape for picture in video] == [(3, 3, 3)]


def test_repeated_time_stamps(tmp_path, write, grays):
    """Catches a rate of infinity, or an endless loop, where two frames claim the same time."""
    pts = [0, 33, 33, 67, 100, 100, 100, 133, 300]
    path = write(tmp_path / "a.mkv", grays(9), pts=pts, codec="ffv1", pix_fmt="bgr0")
    video = open_video(path)
    assert len(list(video)) == video.frame_count
    assert abs(video.duration_s - 0.333) < 0.05


def test_missing_time_stamps_are_said(tmp_path, write, grays, number):
    """Catches a bare H.264 stream silently read at FFmpeg's invented times."""
    path = write(tmp_path / "a.h264", grays(10))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Mocap3dWarning)
        assert [number(picture) for picture in open_video(path)] == list(range(10))


def _write_folder(folder: Path, names, pictures):
    folder.mkdir(exist_ok=True)
    for name, picture in zip(names, pictures, strict=True):
        cv2.imwrite(str(folder / name), picture[..., ::-1] if picture.ndim == 3 else picture)
    return folder


def test_image_folder(tmp_path, grays, number):
    """Catches frame10 before frame2, hidden files taken for frames, and red swapped with blue."""
    pictures = grays(12)
    pictures[3][..., 0] = 255
    folder = _write_folder(tmp_path / "images", [f"frame{i}.png" for i in range(12)], pictures)
    (folder / ".frame0.png").write_bytes(b"x")
    (folder / "notes.txt").write_text("x")
    video = open_video(folder, fps="29.97", start=2)
    got = list(video)
    assert (video.fps, video.frame_count, video.size_wh_px) == (Fraction(30000, 1001), 10, (64, 48))
    for picture, expected in zip(got, pictures[2:], strict=True):
        np.testing.assert_array_equal(picture, expected)
    with pytest.raises(InputError, match=r"fps=30; --fps 30"):
        open_video(folder)


def test_gray_and_16_bit_images(tmp_path):
    """Catches a 2D array, or values above 255, where RGB bytes are expected."""
    images = [np.full((8, 6), 200, np.uint8), np.full((8, 6), 200 * 256, np.uint16)]
    for picture in open_video(_write_folder(tmp_path, ["a.png", "b.png"], images), fps=1):
        np.testing.assert_array_equal(picture, np.full((8, 6, 3), 200))


def test_bad_folders(tmp_path, grays):
    """Catches an empty result for a folder without images, and pictures of two sizes in one video."""
    with pytest.raises(InputError, match="no images"):
        open_video(tmp_path, fps=30)
    folder = _write_folder(tmp_path, ["1.png", "2.png"], [*grays(1), *grays(1, (32, 32))])
    with pytest.raises(InputError, match=r"2\.png is 32x32 .* 64x48"):
        list(open_video(folder, fps=30))
    (folder / "2.png").write_bytes(b"not a png")
    with pytest.raises(FileFormatError, match=r"2\.png: cannot be decoded"):
        list(open_video(folder, fps=30))


def test_files_that_are_no_video(tmp_path):
    """Catches FFmpeg's own exceptions, which name no file and no remedy, reaching the caller."""
    with pytest.raises(InputError, match="there is no file"):
        open_video(tmp_path / "none.mp4")
    empty = tmp_path / "empty.mp4"
    empty.touch()
    with pytest.raises(FileFormatError, match=r"empty\.mp4: the file is empty"):
        open_video(empty)
    text = tmp_path / "text.mp4"
    text.write_text("this is no video\n" * 100)
    with pytest.raises(FileFormatError, match=r"text\.mp4: cannot be read as a video"):
        open_video(text)


@pytest.mark.parametrize("cover", [False, True])
def test_sound_without_pictures(tmp_path, cover):
    """Catches an index error on ``streams.video[0]``, and the cover of a song captured as a film of one frame."""
    path = tmp_path / "song.mp3"
    with av.open(str(path), "w") as sink:
        sound = sink.add_stream("libmp3lame", rate=44100, layout="mono")
        if cover:
            picture = sink.add_stream("png", rate=1)
            picture.width, picture.height, picture.pix_fmt = 64, 64, "rgb24"
            picture.disposition = av.stream.Disposition.attached_pic
            frame = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")
            sink.mux([*picture.encode(frame), *picture.encode()])
        for k in range(10):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1152), np.int16), format="s16p", layout="mono")
            frame.sample_rate, frame.pts = 44100, 1152 * k
            sink.mux(sound.encode(frame))
        sink.mux(sound.encode())
    with pytest.raises(FileFormatError, match="only a cover picture and audio" if cover else "only audio$"):
        open_video(path)


def test_a_copy_that_lacks_its_end(tmp_path, write, grays):
    """Catches a bare FFmpeg error for an mp4 whose index, at the end of the file, was not copied."""
    path = write(tmp_path / "a.mp4", grays(40))
    path.write_bytes(path.read_bytes()[:-1500])
    with pytest.raises(FileFormatError, match="copied to its end"):
        open_video(path)


def test_a_video_that_breaks_off(tmp_path, number, write, grays):
    """Catches a video that ends early without a word, and the loss of the frames that are there."""
    noise = np.random.default_rng(0).choice([-10, 10], (48, 64, 1))  # fills the file, and is 0 on average
    pictures = [(gray + 30 + noise - noise.mean()).astype(np.uint8) for gray in grays(40)]
    start = {"movflags": "faststart"}
    path = write(tmp_path / "a.mp4", pictures, container_options=start, options={"crf": "8", "bf": "0", "g": "1"})
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.warns(Mocap3dWarning, match=r"breaks off at frame \d+; its header announces 40 frames") as caught:
        video = open_video(path)
    assert f"at frame {video.frame_count};" in str(caught[0].message)
    assert [number(picture.astype(float) - 30) for picture in video] == list(range(video.frame_count))
    assert 10 < video.frame_count < 30


def test_damage_in_the_middle_is_survived(tmp_path, write, grays, number):
    """Catches one bad packet ending the whole capture, and later frames that move forward in time by its loss."""
    path = write(tmp_path / "a.avi", grays(30), codec="mjpeg", pix_fmt="yuvj420p", options={"qscale": "2"})
    with av.open(str(path)) as container:
        places = [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size]
    data = bytearray(path.read_bytes())
    position, size = places[12]
    data[position : position + size] = bytes(size)
    path.write_bytes(data)
    with pytest.warns(Mocap3dWarning, match=r"damaged from frame 1\d on: 1 frames cannot be decoded"):
        numbers = [number(picture) for picture in open_video(path)]
    assert len(numbers) == 30
    assert 12 not in numbers
    assert numbers[20:] == list(range(20, 30))


def _open_files():
    return [
        os.readlink(f"/proc/self/fd/{fd}")
        for fd in os.listdir("/proc/self/fd")
        if os.path.exists(f"/proc/self/fd/{fd}")
    ]


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="reads Linux's list of open files")
def test_an_abandoned_iteration_lets_go_of_the_file(tmp_path, write, grays):
    """Catches files that stay open after Ctrl-C, or after only the first frame was looked at."""
    path = write(tmp_path / "kept.mp4", grays(40))
    video = open_video(path)
    frames = iter(video)
    next(frames)
    assert any("kept.mp4" in name for name in _open_files())
    frames.close()
    gc.collect()
    assert not any("kept.mp4" in name for name in _open_files())
    assert len(list(video)) == 40  # and it can be read again

    def interrupted():
        with open_video(path) as video:
            for _ in video:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as caught:  # whose traceback keeps the frames of the call alive
        interrupted()
    assert not any("kept.mp4" in name for name in _open_files())
    del caught


def test_the_focal_length_in_the_metadata(tmp_path, write, grays):
    """Catches a 35 mm focal length taken for pixels, or compared by width instead of by diagonal."""
    pictures = grays(2, (640, 480))
    assert open_video(write(tmp_path / "plain.mp4", pictures)).fov_deg is None
    path = tmp_path / "phone.mov"
    with av.open(str(path), "w", options={"movflags": "use_metadata_tags"}) as sink:
        sink.metadata["com.apple.quicktime.camera.focal_length.35mm_equivalent"] = "26"
        stream = sink.add_stream("libx264", rate=30)
        stream.width, stream.height, stream.pix_fmt = 640, 480, "yuv420p"
        for picture in pictures:
            sink.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        sink.mux(stream.encode())
    # 4:3 inside the film's image circle of 43.267 mm: 34.613 mm wide, so 2 atan(34.613 / 2 / 26) = 67.30 degrees.
    assert open_video(path).fov_deg == pytest.approx(67.30, abs=0.01)
