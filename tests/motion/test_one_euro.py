"""The live filters, against the paper's algorithm written out for single numbers."""

import math

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from mocap3d.base.errors import InputError
from mocap3d.motion.filters import OneEuro, OneEuroRotations, OneEuroSettings

SETTINGS = OneEuroSettings(min_cutoff_hz=1.2, beta=0.8, derivative_cutoff_hz=1.0)


class PaperFilter:
    """Algorithm 1 of Casiez et al. 2012, one number at a time, with the rate taken from the time stamps."""

    def __init__(self, mincutoff, beta, dcutoff):
        self.mincutoff, self.beta, self.dcutoff = mincutoff, beta, dcutoff
        self.x = self.dx = self.t = None

    @staticmethod
    def alpha(rate, cutoff):
        tau = 1 / (2 * math.pi * cutoff)
        te = 1 / rate
        return 1 / (1 + tau / te)

    def __call__(self, x, t):
        if self.x is None:
            self.x, self.dx, self.t = x, 0.0, t
            return x
        rate = 1 / (t - self.t)
        self.t = t
        dx = (x - self.x) * rate
        a = self.alpha(rate, self.dcutoff)
        self.dx = a * dx + (1 - a) * self.dx
        a = self.alpha(rate, self.mincutoff + self.beta * abs(self.dx))
        self.x = a * x + (1 - a) * self.x
        return self.x


def stamps(count, seed=0):
    """Times that grow unevenly, as those of a camera that drops frames."""
    return np.cumsum(np.random.default_rng(seed).choice([1, 1, 1, 2, 3], size=count)) / 30


def test_single_numbers_come_out_as_in_the_paper():
    """Catches a swapped cut-off, a speed per frame instead of per second, and time stamps that are ignored."""
    times = stamps(200)
    values = np.random.default_rng(1).normal(size=200).cumsum() * 0.3
    ours, paper = OneEuro(SETTINGS), PaperFilter(1.2, 0.8, 1.0)
    for value, time_s in zip(values, times, strict=True):
        assert abs(ours([value], time_s)[0] - paper(value, time_s)) < 1e-12


def test_points_that_move_along_a_line_come_out_as_numbers_do():
    """Catches a speed taken by coordinate, so that a diagonal is filtered more than an axis."""
    times = stamps(100)
    way = np.random.default_rng(2).normal(size=100).cumsum()
    direction = np.array([2.0, -1.0, 2.0]) / 3
    ours, paper = OneEuro(SETTINGS), PaperFilter(1.2, 0.8, 1.0)
    for value, time_s in zip(way, times, strict=True):
        points = np.stack([direction * value + [5.0, 0.0, 1.0], np.zeros(3)])
        found = ours(points, time_s)
        assert np.abs(found[0] - direction * paper(value, time_s) - [5.0, 0.0, 1.0]).max() < 1e-12
        assert np.abs(found[1]).max() == 0.0


def test_turns_about_one_axis_come_out_as_their_angles_do():
    """Catches half angles, chords instead of arcs, and degrees."""
    times = stamps(100)
    angles = np.random.default_rng(3).normal(size=100).cumsum() * 0.2
    axis = np.array([1.0, -2.0, 2.0]) / 3
    start, flip = Rotation.random(random_state=1), np.random.default_rng(4).choice([-1.0, 1.0], size=100)
    ours, paper = OneEuroRotations(SETTINGS), PaperFilter(1.2, 0.8, 1.0)
    before = None
    for angle, time_s, sign in zip(angles, times, flip, strict=True):
        turn = start * Rotation.from_rotvec(angle * axis)
        found = ours(sign * np.roll(turn.as_quat(), 1), time_s)
        expected = start * Rotation.from_rotvec(paper(angle, time_s) * axis)
        assert (Rotation.from_quat(np.roll(found, -1)).inv() * expected).magnitude() < 1e-9
        assert before is None or found @ before > 0
        before = found


def test_it_follows_fast_and_rests_still():
    """Catches a filter whose cut-off does not depend on speed: that is all there is to it."""
    rng, fps = np.random.default_rng(5), 60
    still = OneEuro(OneEuroSettings(min_cutoff_hz=1.0, beta=5.0))
    noise = [still(0.005 * rng.normal(size=3), t / fps) for t in range(600)]
    assert np.std(noise[60:]) < 0.5 * 0.005
    moving, speed = OneEuro(OneEuroSettings(min_cutoff_hz=1.0, beta=5.0)), 3.0
    lag = [speed * t / fps - moving([speed * t / fps, 0.0, 0.0], t / fps)[0] for t in range(120)]
    assert lag[-1] < speed / (2 * np.pi * 16.0) + 1e-9  # a cut-off of 1 + 5 * 3 Hz
    slow = OneEuro(OneEuroSettings(min_cutoff_hz=1.0, beta=0.0))
    lag = [speed * t / fps - slow([speed * t / fps, 0.0, 0.0], t / fps)[0] for t in range(120)]
    assert lag[-1] > 0.4


def test_a_lost_joint_stays_lost_and_comes_back():
    """Catches NaN that stays for ever, joints that wait for each other, a slow return to a joint that was lost."""
    filtered = OneEuro(OneEuroSettings(min_cutoff_hz=1.0, beta=0.0, forget_s=0.5))
    seen, lost = np.array([1.0, 2.0, 3.0]), np.full(3, np.nan)
    assert np.isnan(filtered([seen, lost], 0.0)[1]).all()
    assert np.array_equal(filtered([seen, seen], 0.1)[1], seen)
    for number in range(2, 5):
        assert np.array_equal(np.isnan(filtered([seen, lost], number / 10))[:, 0], [False, True])
    near = filtered([seen, seen + 1.0], 0.55)[1]  # 0.45 s later: still the same movement, moving in
    assert np.allclose(near - seen, 1 / (1 + 1 / (2 * np.pi * 0.45)))
    for number in range(6, 12):
        filtered([seen, lost], number / 10)
    assert np.array_equal(filtered([seen, seen + 9.0], 1.2)[1], seen + 9.0)
    filtered.reset()
    assert np.array_equal(filtered([seen + 4.0], 0.0), [seen + 4.0])


def test_what_makes_no_sense_is_refused():
    """Catches a time that stands still (a division by zero), and persons of different numbers of joints."""
    for kind, value in ((OneEuro, np.ones((2, 3))), (OneEuroRotations, np.ones((2, 4)))):
        filtered = kind()
        filtered(value, 1.0)
        for time_s in (1.0, 0.5, math.nan):
            with pytest.raises(InputError, match="time"):
                filtered(value, time_s)
        with pytest.raises(InputError, match="shape"):
            filtered(value[:1], 2.0)
        with pytest.raises(InputError):
            filtered(np.full_like(value, np.inf), 2.0)
        filtered(value, 2.0)
    with pytest.raises(InputError):
        OneEuroRotations()(np.zeros((2, 4)), 0.0)
    for wrong in ({"min_cutoff_hz": 0.0}, {"beta": -1.0}, {"derivative_cutoff_hz": math.nan}, {"forget_s": math.inf}):
        with pytest.raises(InputError):
            OneEuroSettings(**({"min_cutoff_hz": 1.0, "beta": 1.0} | wrong))
