"""Offsets between cameras: from motion, from sound, and what is made of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from rigs_of_cameras import ring, seen_by, walkers
from scipy.ndimage import gaussian_filter1d

from mocap3d.base.errors import InputError
from mocap3d.base.pose import Pose2D
from mocap3d.cameras.sync import PairOffset, combine, compare_sounds, read_sound, sync_audio, sync_motion, synchronised
from mocap3d.cameras.sync.audio import RATE_HZ

FINE_HZ = 240.0


def gestures(seconds: float, seed: int = 0, at_m: float = 0.0) -> np.ndarray:
    """(T, 17, 3) at FINE_HZ: somebody who moves about and waves, never the same way twice (a gait repeats itself)."""
    rng = np.random.default_rng(seed)
    stand = walkers(1, seconds=0.1, fps=FINE_HZ)[0][0]
    stand = stand - [stand[:, 0].mean(), 0, stand[:, 2].mean()]
    count = int(seconds * FINE_HZ)

    def smooth(joints: int, width_s: float) -> np.ndarray:
        path = gaussian_filter1d(rng.normal(size=(count + 480, joints, 3)), width_s * FINE_HZ, axis=0)[240:-240]
        return path / path.std()

    reach = np.array([0.05] * 5 + [0.04] * 2 + [0.12] * 2 + [0.25] * 2 + [0.05] * 2 + [0.1] * 2 + [0.15] * 2)
    return stand + smooth(17, 0.18) * reach[:, None] + smooth(1, 0.6) * [0.3, 0.03, 0.3] + [at_m, 0, 0]


def filmed(
    xyz_m: np.ndarray, start_s: Sequence[float], fps: Sequence[int], seconds: float, **errors: float
) -> list[Pose2D]:
    """What a ring of cameras that start at different times and run at different rates sees."""
    poses = []
    for c, (camera, start, rate) in enumerate(zip(ring(len(fps)), start_s, fps, strict=True)):
        at = (np.arange(int(seconds * rate)) / rate + start) * FINE_HZ
        moments = np.stack(
            [np.interp(at, np.arange(len(xyz_m)), xyz_m[:, j, axis]) for j in range(17) for axis in range(3)],
            axis=-1,
        ).reshape(-1, 17, 3)
        poses += seen_by([camera], moments, seed=c, fps=Fraction(rate), **errors)
    return poses


@pytest.mark.parametrize(
    ("errors", "limit_s"),
    [({}, 0.004), ({"noise_px": 3.0}, 0.004), ({"noise_px": 8.0, "missing": 0.2, "outliers": 0.05}, 0.012)],
)
def test_finds_offsets_far_below_a_frame(errors: dict[str, float], limit_s: float) -> None:
    """Catches offsets with the wrong sign, counted in frames of one camera, or lost with missing joints."""
    start_s = np.array([0.3, 0.837, 0.11])
    poses = filmed(gestures(6.5), start_s, (30, 25, 60), 5.0, **errors)
    found = sync_motion([[pose] for pose in poses])
    np.testing.assert_allclose(found.offsets_s, start_s - start_s[0], atol=limit_s)
    assert found.confidence.min() > 0.9
    assert (np.abs(found.offsets_s - (start_s - start_s[0])) <= 3 * found.std_s + 1e-9).all()


def test_finds_offsets_between_samples() -> None:
    """Catches a lag that stays on the grid on which lags are tried, 4 ms off at the worst."""
    poses = filmed(gestures(6.5), (0.3, 0.5377), (30, 60), 5.0)
    assert sync_motion([[pose] for pose in poses]).offsets_s[1] == pytest.approx(0.2377, abs=0.0025)


def test_needs_not_know_who_is_who() -> None:
    """Catches people compared by their place in the list, which cameras fill in any order."""
    start_s = (0.0, 0.4)
    two = [filmed(gestures(5.0, seed, at_m), start_s, (30, 30), 4.0, noise_px=2.0) for seed, at_m in ((1, 0), (2, 1))]
    found = sync_motion([[two[0][0], two[1][0]], [two[1][1], two[0][1]]])
    assert found.offsets_s[1] == pytest.approx(0.4, abs=0.008)
    assert found.confidence[1] > 0.9


def test_a_gait_that_repeats_itself_is_not_sure() -> None:
    """Catches confidence in one of several equal peaks: who walks straight on looks the same a step cycle later."""
    people = walkers(1, seconds=6.0, fps=FINE_HZ)[0]
    found = sync_motion([[pose] for pose in filmed(people, (0.0, 0.3), (30, 30), 5.0, noise_px=2.0)])
    off = abs(found.offsets_s[1] - 0.3)
    assert off < 0.02 or found.confidence[1] < 0.9


def test_people_who_never_meet_are_not_synchronised() -> None:
    """Catches confidence in chance: two videos of different moments share nothing."""
    one, other = (filmed(gestures(5.0, seed), (0, 0), (30, 30), 4.0, noise_px=2.0) for seed in (5, 6))
    assert sync_motion([[one[0]], [other[1]]]).confidence[1] < 0.7


def test_a_camera_without_the_person_has_no_offset() -> None:
    """Catches a made-up 0 for a camera that saw nothing."""
    poses = filmed(gestures(4.0), (0.0, 0.2), (30, 30), 3.0)
    empty = replace(poses[1], xy_px=np.full_like(poses[1].xy_px, np.nan), confidence=np.zeros_like(poses[1].confidence))
    found = sync_motion([[poses[0]], [empty]])
    assert np.isnan(found.offsets_s[1])
    assert found.confidence[1] == 0
    with pytest.raises(InputError, match="at least 2"):
        sync_motion([[poses[0]]])


def test_contradicting_pairs_are_outvoted() -> None:
    """Catches plain averaging: of the three pairs of three cameras one is 2 s off, and two agree."""
    true = np.array([0.0, 0.5, -0.2, 0.9])
    pairs = [
        PairOffset(first=a, second=b, offset_s=true[b] - true[a], std_s=0.005, confidence=0.9)
        for a, b in ((0, 1), (0, 2), (1, 2), (1, 3), (2, 3))
    ]
    wrong = PairOffset(first=0, second=3, offset_s=2.9, std_s=0.005, confidence=0.8)
    found = combine(4, [*pairs, wrong])
    np.testing.assert_allclose(found.offsets_s, true, atol=0.003)
    assert found.confidence[1] > 0.9 > found.confidence[3]
    with pytest.raises(InputError, match="pair"):
        combine(2, [replace(wrong, first=1, second=1)])


def test_brings_poses_onto_one_clock() -> None:
    """Catches offsets applied backwards, and joints that appear where a neighbour in time is missing."""
    xyz_m, start_s = gestures(4.0), (0.0, 0.4125)
    poses = filmed(xyz_m, start_s, (30, 50), 3.0)
    gap = poses[1].xy_px.copy()
    gap[60, 3] = np.nan
    holed = replace(poses[1], xy_px=gap, confidence=np.where(np.isnan(gap[..., 0]), 0.0, poses[1].confidence))
    (first, second), start = synchronised([poses[0], holed], start_s)
    assert first is not None
    assert second is not None
    assert first.fps == second.fps == 50
    assert len(first) == len(second)
    assert start == pytest.approx(0.4125)
    truth = filmed(xyz_m, (start, start), (50, 50), len(first) / 50)
    np.testing.assert_allclose(first.xy_px, truth[0].xy_px[: len(first)], atol=0.6)
    missing = np.isnan(second.xy_px[..., 0])
    assert missing[60, 3]
    assert missing.sum() == 1
    with pytest.raises(InputError, match="no moment"):
        synchronised(poses, (0.0, 60.0))


def _sounds(seconds: float, seed: int = 3) -> np.ndarray:
    """Speech-like: noise bursts of changing loudness."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=int(seconds * RATE_HZ))
    slow = gaussian_filter1d(rng.normal(size=len(noise) // 160 + 2), 8.0)
    loud = np.interp(np.arange(len(noise)) / 160, np.arange(len(slow)), slow)
    return noise * np.maximum(loud / loud.std(), 0)


def test_sound_gives_offsets_to_a_millisecond() -> None:
    """Catches a lag with the wrong sign, or a start of the sound that does not count, under noise, echo and gain."""
    rng, room = np.random.default_rng(1), _sounds(10.0)
    first = room[: 6 * RATE_HZ]
    late = room[int(1.7 * RATE_HZ) : 8 * RATE_HZ]
    echo = 0.2 * late + 0.1 * np.roll(late, 640) + 0.05 * rng.normal(size=len(late))
    offset_s, confidence = compare_sounds((first.astype(np.float32), 0.0), (echo.astype(np.float32), 0.25))
    assert offset_s == pytest.approx(1.7 - 0.25, abs=0.001)
    assert confidence > 0.9
    stranger = _sounds(5.0, seed=9).astype(np.float32)
    assert compare_sounds((first.astype(np.float32), 0.0), (stranger, 0.0))[1] < 0.5


def test_reads_sound_from_videos(tmp_path: Path) -> None:
    """Catches sound at another rate or of two channels, and a video without sound that stops the others."""
    room = _sounds(8.0)
    for name, start_s, rate in (("a.mp4", 0.0, 48000), ("b.mp4", 1.5, 44100)):
        _write_video(tmp_path / name, room[int(start_s * RATE_HZ) : int((start_s + 5) * RATE_HZ)], rate)
    _write_video(tmp_path / "silent.mp4", None, 48000)
    found = sync_audio([tmp_path / "a.mp4", tmp_path / "silent.mp4", tmp_path / "b.mp4"])
    assert found.offsets_s[2] == pytest.approx(1.5, abs=0.003)
    assert found.confidence[2] > 0.9
    assert np.isnan(found.offsets_s[1])
    assert read_sound(tmp_path / "silent.mp4") is None
    with pytest.raises(InputError, match=r"only 1 of 2 videos has sound \(a\.mp4\): synchronise"):
        sync_audio([tmp_path / "a.mp4", tmp_path / "silent.mp4"])


def _write_video(path: Path, samples: np.ndarray | None, rate: int) -> None:
    with av.open(str(path), "w") as container:
        picture = container.add_stream("mpeg4", rate=10)
        picture.width, picture.height = 32, 32
        sound = None if samples is None else container.add_stream("aac", rate=rate, layout="stereo")
        for _ in range(10):
            container.mux(picture.encode(av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")))
        container.mux(picture.encode(None))
        if sound is None or samples is None:
            return
        at = np.arange(int(len(samples) / RATE_HZ * rate)) * RATE_HZ / rate
        wave = np.interp(at, np.arange(len(samples)), samples / np.abs(samples).max()).astype(np.float32)
        frame = av.AudioFrame.from_ndarray(np.stack([wave, wave]), format="fltp", layout="stereo")
        frame.sample_rate, frame.pts = rate, 0
        container.mux(sound.encode(frame))
        container.mux(sound.encode(None))
