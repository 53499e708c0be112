"""Offline filters, against closed-form responses, SciPy's rotations, and symmetries that any honest filter has."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import butter, filtfilt
from scipy.spatial.transform import Rotation

from mocap3d.base.errors import InputError
from mocap3d.motion.filters import Butterworth, Gaussian, Robust, filter_points, filter_wxyz, outliers

FILTERS = [Butterworth(cutoff_hz=6), Butterworth(cutoff_hz=4, order=4), Gaussian(cutoff_hz=5), Robust(cutoff_hz=6)]
each_filter = pytest.mark.parametrize("how", FILTERS, ids=repr)


def wxyz(rotation: Rotation):
    """SciPy's rotations as quaternions with the scalar first."""
    return np.roll(rotation.as_quat(), 1, axis=-1)


def rotation(quaternions):
    """The other way."""
    return Rotation.from_quat(np.roll(quaternions, -1, axis=-1))


def tumbling(frames, seed=0, per_frame_deg=8.0):
    """(T,) rotations that wander."""
    rng = np.random.default_rng(seed)
    steps = Rotation.from_rotvec(np.radians(per_frame_deg) * rng.normal(size=(frames, 3)))
    turns = [Rotation.random(random_state=seed)]
    for step in steps[1:]:
        turns.append(turns[-1] * step)
    return Rotation.concatenate(turns)


def amplitude_left(how, frequency_hz, fps):
    """Of a long oscillation: the amplitude and the shift (as a sine's share) of what comes out, in the middle."""
    t = np.arange(round(40 * fps)) / fps
    wave = np.exp(2j * np.pi * frequency_hz * t)
    out = filter_points(np.stack([wave.real, wave.imag], axis=-1), fps, how)
    ratio = (out[..., 0] + 1j * out[..., 1])[len(t) // 2] / wave[len(t) // 2]
    return ratio.real, ratio.imag


@pytest.mark.parametrize("fps", [24, 30, Fraction(60000, 1001), 120, 240])
@pytest.mark.parametrize("how", [FILTERS[0], FILTERS[1], FILTERS[2]], ids=repr)
def test_the_cutoff_means_the_same_at_every_rate(how, fps):
    """Catches a cut-off of one pass of two, a digital filter that is off near Nyquist, and any shift in time."""
    real, shift = amplitude_left(how, how.cutoff_hz, float(fps))
    assert abs(real - np.sqrt(0.5)) < 1e-6
    assert abs(shift) < 1e-9


@pytest.mark.parametrize("frequency_hz", [0.5, 2.0, 5.0, 9.0, 14.0])
@pytest.mark.parametrize("order", [1, 2, 4])
def test_butterworth_has_the_closed_form_response(frequency_hz, order):
    """Catches a Butterworth in name only: two passes leave 1 / (1 + (sqrt 2 - 1) (tan / tan)^2n)."""
    fps, cutoff_hz = 30.0, 6.0
    ratio = np.tan(np.pi * frequency_hz / fps) / np.tan(np.pi * cutoff_hz / fps)
    expected = 1 / (1 + (np.sqrt(2) - 1) * ratio ** (2 * order))
    real, shift = amplitude_left(Butterworth(cutoff_hz=cutoff_hz, order=order), frequency_hz, fps)
    assert abs(real - expected) < 1e-6
    assert abs(shift) < 1e-9


@pytest.mark.parametrize("frequency_hz", [0.5, 2.0, 5.0, 9.0, 14.0])
def test_gaussian_has_the_response_of_a_bell(frequency_hz):
    """Catches a kernel cut too short, and a standard deviation in frames instead of seconds."""
    fps, std_s = 120.0, 0.03
    real, shift = amplitude_left(Gaussian.from_std_s(std_s), frequency_hz, fps)
    continuous = np.exp(-2 * (np.pi * std_s * frequency_hz) ** 2)
    assert abs(real - continuous) < 0.01
    assert abs(shift) < 1e-9


def test_butterworth_is_what_scipy_makes_of_it():
    """Catches padding that reaches into the clip: far from the ends it is SciPy's filtfilt."""
    values = np.cumsum(np.random.default_rng(1).normal(size=(600, 2)), axis=0)
    fps, cutoff_hz = 100.0, 6.0
    design = np.arctan(np.tan(np.pi * cutoff_hz / fps) / (np.sqrt(2) - 1) ** 0.25) * fps / np.pi
    b, a = butter(2, design / (fps / 2))
    expected = filtfilt(b, a, values, axis=0)
    ours = filter_points(values, fps, Butterworth(cutoff_hz=cutoff_hz))
    assert np.abs(ours - expected)[100:-100].max() < 1e-9


@each_filter
def test_a_steady_movement_stays(how):
    """Catches ends that are held, which would stop everybody who walks into or out of the picture."""
    t = np.arange(50)[:, None] / 30
    line = [1.0, -2.0, 0.5] + t * [1.4, 0.0, -0.3]
    assert np.abs(filter_points(line, 30, how) - line).max() < 1e-8
    spin = wxyz(Rotation.from_rotvec(t * [0.0, 7.0, 2.0]))
    assert np.abs(rotation(filter_wxyz(spin, 30, how)).as_matrix() - rotation(spin).as_matrix()).max() < 1e-8


@each_filter
@settings(max_examples=12)
@given(seed=st.integers(0, 10_000), frames=st.integers(1, 40))
def test_played_backwards_it_comes_out_backwards(how, seed, frames):
    """Catches a filter that goes there before back and keeps a trace of it at the ends."""
    points = np.random.default_rng(seed).normal(size=(frames, 2, 3))
    forth, back = filter_points(points, 30, how), filter_points(points[::-1], 30, how)[::-1]
    assert np.abs(forth - back).max() < 1e-9
    turns = wxyz(tumbling(frames, seed))
    forth, back = filter_wxyz(turns, 30, how), filter_wxyz(turns[::-1], 30, how)[::-1]
    assert np.abs(np.abs((forth * back).sum(axis=-1)) - 1).max() < 1e-9


@each_filter
def test_turning_the_world_turns_the_result(how):
    """Catches medians by coordinate, Euler angles, and a hemisphere chosen by the sign of w."""
    turn, other = Rotation.random(2, random_state=3)
    points = np.random.default_rng(2).normal(size=(60, 4, 3))
    points[20] += 30.0
    moved = turn.apply(points.reshape(-1, 3)).reshape(points.shape) + [5.0, -1.0, 2.0]
    expected = turn.apply(filter_points(points, 30, how).reshape(-1, 3)).reshape(points.shape) + [5.0, -1.0, 2.0]
    assert np.abs(filter_points(moved, 30, how) - expected).max() < 1e-9
    turns = tumbling(60, 4)
    expected = turn * rotation(filter_wxyz(wxyz(turns), 30, how)) * other
    found = rotation(filter_wxyz(wxyz(turn * turns * other), 30, how))
    assert (found.inv() * expected).magnitude().max() < 1e-8


@each_filter
def test_signs_of_quaternions_do_not_matter(how):
    """Catches the flip: a quaternion with the other sign averaged with its neighbours."""
    turns = wxyz(tumbling(80, 5))[:, None]
    flipped = turns * np.random.default_rng(6).choice([-1.0, 1.0], size=(80, 1, 1))
    plain, ours = filter_wxyz(turns, 60, how), filter_wxyz(flipped, 60, how)
    assert np.abs(np.abs((plain * ours).sum(axis=-1)) - 1).max() < 1e-12
    assert ((ours[1:] * ours[:-1]).sum(axis=-1) > 0).all()
    assert np.abs(np.linalg.norm(ours, axis=-1) - 1).max() < 1e-12


def test_rotations_about_one_axis_are_filtered_like_their_angles():
    """Catches a filter of rotations that is stronger or weaker than the same filter of points, for small angles."""
    angles = 0.05 * np.random.default_rng(7).normal(size=100).cumsum() * 0.2
    how = Butterworth(cutoff_hz=6)
    turns = wxyz(Rotation.from_rotvec(angles[:, None] * [0.0, 0.6, 0.8]))
    found = rotation(filter_wxyz(turns, 30, how)).as_rotvec() @ [0.0, 0.6, 0.8]
    assert np.abs(found - filter_points(angles[:, None], 30, how)[:, 0]).max() < 1e-5


@each_filter
@pytest.mark.parametrize("frames", range(6))
def test_short_clips(how, frames):
    """Catches padding that is longer than the clip: SciPy refuses, and one frame has no neighbour at all."""
    points = np.random.default_rng(8).normal(size=(frames, 2, 3))
    found = filter_points(points, 120, how)
    assert found.shape == points.shape
    assert np.isfinite(found).all()
    if frames:
        assert np.allclose(found[0], points[0]) or isinstance(how, Robust)
    turns = wxyz(Rotation.random(frames * 2, random_state=1)).reshape(frames, 2, 4) if frames else np.empty((0, 2, 4))
    assert np.isfinite(filter_wxyz(turns, 120, how)).all()


@each_filter
def test_gaps_are_not_crossed(how):
    """Catches NaN that spreads, gaps that are filled, and a jump behind a gap that bleeds to before it."""
    points = np.random.default_rng(9).normal(size=(60, 3, 3)).cumsum(axis=0)
    holed = points.copy()
    holed[20:26, 1] = np.nan
    holed[26:, 1] += 100.0
    holed[40, 2, 0] = np.nan
    found = filter_points(holed, 30, how)
    assert np.array_equal(np.isnan(found).all(axis=-1), np.isnan(holed).any(axis=-1))
    assert np.allclose(found[:20, 1], filter_points(points[:20, 1], 30, how))
    assert np.allclose(found[26:, 1], filter_points(points[26:, 1], 30, how) + 100.0)
    assert np.allclose(found[:, 0], filter_points(points[:, 0], 30, how))
    turns = wxyz(tumbling(60))
    turns[20:26] = np.nan
    found = filter_wxyz(turns, 30, how)
    assert np.isnan(found[20:26]).all()
    assert np.allclose(found[:20], filter_wxyz(turns[:20], 30, how))


def test_short_gaps_are_crossed_when_asked():
    """Catches a bridge that is built always, never, or over gaps that are too long."""
    how = Butterworth(cutoff_hz=4)
    points = np.random.default_rng(10).normal(size=(90, 3)).cumsum(axis=0)
    points[30:33] = np.nan
    points[60:70] = np.nan
    filled = points.copy()
    for axis in range(3):
        filled[30:33, axis] = np.interp([30, 31, 32], [29, 33], points[[29, 33], axis])
    found = filter_points(points, 30, how, bridge_s=0.1)
    assert np.array_equal(np.isnan(found), np.isnan(points))
    crossed = filter_points(filled[:60], 30, how)
    assert np.allclose(found[:30], crossed[:30])
    assert np.allclose(found[33:60], crossed[33:60])
    assert np.allclose(found[70:], filter_points(points[70:], 30, how))
    turns = wxyz(tumbling(40))
    turns[20:22] = np.nan
    assert np.isnan(filter_wxyz(turns, 30, how, bridge_s=0.1)[20:22]).all()
    assert not np.allclose(filter_wxyz(turns, 30, how, bridge_s=0.1)[:20], filter_wxyz(turns, 30, how)[:20])


@pytest.mark.parametrize("jump", [1, 2])
def test_robust_forgets_outliers(jump):
    """Catches outliers that are smeared over their neighbours, and fast movement (3.7 m/s here) that hides them."""
    rng = np.random.default_rng(11)
    t = np.arange(90) / 30
    clean = np.stack([np.sin(3 * t), np.cos(2 * t), 1.2 * t], axis=-1)
    wild = clean + 0.003 * rng.normal(size=clean.shape)
    jumps = [start + n for start in (3, 30, 61, 84) for n in range(jump)]
    wild[jumps] += [0.4, -0.3, 0.5]
    assert np.flatnonzero(outliers(wild, 30)).tolist() == jumps
    inner = slice(3, -3)
    error_m = np.linalg.norm(filter_points(wild, 30, Robust(cutoff_hz=6)) - clean, axis=-1)
    assert error_m[inner].max() < 0.02
    assert np.linalg.norm(filter_points(wild, 30, Butterworth(cutoff_hz=6)) - clean, axis=-1)[inner].max() > 0.2


@pytest.mark.parametrize("fps", [30, 60, 120, 240])
def test_noise_is_hardly_ever_an_outlier(fps):
    """Catches a threshold so low that smooth noise, or the start of a movement, is cut up."""
    rng = np.random.default_rng(12)
    assert outliers(rng.normal(size=(3000, 2, 3)), fps).mean() < 0.012
    start = np.maximum(np.arange(60) - 30.0, 0.0)[:, None] * [0.1, 0.02, 0.0]
    assert not outliers(start, fps).any()


def test_robust_forgets_wild_rotations():
    """Catches an outlier that flips the signs of all quaternions after it, and distances that depend on signs."""
    t = np.arange(60)[:, None] / 30
    clean = Rotation.from_rotvec(t * [0.5, 2.0, -1.0])
    wild = wxyz(clean)
    wild[25] = wxyz(clean[25] * Rotation.from_rotvec([0.0, np.radians(170.0), 0.0]))
    wild[40:] *= -1
    assert np.flatnonzero(outliers(wild, 30, rotations=True)).tolist() == [25]
    found = rotation(filter_wxyz(wild, 30, Robust(cutoff_hz=6)))
    assert np.degrees((found.inv() * clean).magnitude()).max() < 0.1


def test_a_punch_is_no_outlier():
    """Catches a window so long that the fastest real movement is taken for noise: 0.3 s out and back, 0.6 m."""
    t = np.arange(60) / 30
    reach_m = 0.6 * np.exp(-0.5 * ((t - 1.0) / 0.06) ** 2)
    assert not outliers(np.stack([reach_m, 0 * t, 0 * t], axis=-1), 30).any()


@pytest.mark.parametrize("cutoff_hz", [15.0, 15.1, 400.0])
def test_cutoffs_that_the_rate_cannot_show_are_refused(cutoff_hz):
    """Catches SciPy's own message about Wn, and a filter that does nothing without saying so."""
    for how in (Butterworth(cutoff_hz=cutoff_hz), Gaussian(cutoff_hz=cutoff_hz), Robust(cutoff_hz=cutoff_hz)):
        with pytest.raises(InputError, match="frames per second"):
            filter_points(np.zeros((9, 3)), 30, how)
    filter_points(np.zeros((9, 3)), 30, Butterworth(cutoff_hz=14.9))


@pytest.mark.parametrize("value", [0.0, -1.0, np.nan, np.inf])
def test_wrong_settings_are_refused(value):
    """Catches zero and NaN, which pass comparisons."""
    for make in (
        lambda: Butterworth(cutoff_hz=value),
        lambda: Gaussian(cutoff_hz=value),
        lambda: Gaussian.from_std_s(value),
        lambda: Robust(cutoff_hz=6, window_s=value),
        lambda: Robust(cutoff_hz=6, threshold=value),
    ):
        with pytest.raises(InputError):
            make()


@pytest.mark.parametrize("make", [Butterworth, Gaussian, Robust])
def test_a_cutoff_next_to_nothing_is_refused(make):
    """Catches a kernel of a million frames for a typing error, which takes minutes and all memory."""
    for cutoff_hz in (1e-6, 0.049):
        with pytest.raises(InputError, match=r"at least 0\.05 Hz"):
            make(cutoff_hz=cutoff_hz)
    with pytest.raises(InputError, match=r"at least 0\.05 Hz"):
        Gaussian.from_std_s(1000.0)
    assert np.isfinite(filter_points(np.zeros((9, 3)), 120, make(cutoff_hz=0.05))).all()


def test_wrong_input_is_refused():
    """Catches shapes, infinities and zero quaternions that would come out as nonsense."""
    how = Butterworth(cutoff_hz=6)
    for call in (
        lambda: filter_points(np.zeros(9), 30, how),
        lambda: filter_points(np.full((9, 3), np.inf), 30, how),
        lambda: filter_points(np.zeros((9, 3)), 0, how),
        lambda: filter_points(np.zeros((9, 3)), 30, how, bridge_s=-1),
        lambda: filter_wxyz(np.zeros((9, 4)), 30, how),
        lambda: filter_wxyz(np.ones((9, 3)), 30, how),
        lambda: Butterworth(cutoff_hz=6, order=0),
    ):
        with pytest.raises(InputError):
            call()
