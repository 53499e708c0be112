"""What a real 2D detector got wrong, as the parameters of the simulated one (`noise`).

Residuals against points from several views show all errors but those that the views share; residuals against the
smoothed track show only what is faster than the smoothing, and what that is of the whole follows from the model that
the first gave.

The model of one joint, per axis: a constant over a clip, plus
``exp(doubt * (usual - confidence)) * std * (slow + white)``. Slow is first-order autoregressive. Everything is
estimated by medians, so that outliers, lost joints and exchanged sides do not count as jitter; they are counted by
themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, sosfiltfilt

from mocap3d.base.errors import InputError
from mocap3d.train.noise import FPS, LEAST_CONFIDENCE, PART_OF_JOINT, PARTS, NoiseSettings
from mocap3d.train.noise_events import Events, hidden, in_sight, lost, missed, outliers, swapped, with_own_sides
from mocap3d.train.noise_residuals import Residuals

__all__ = ["NoiseFit", "fit_noise"]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

_NORMAL = 1.4826  # standard deviation over median absolute deviation
_LEAST_FRAMES = 20  # of a joint in a clip, to say how large its error is
_BINS = np.arange(LEAST_CONFIDENCE, 1.0, 0.1)
_LAGS_S = np.array([1, 2, 3, 4, 6, 8, 12, 16, 20, 30]) / 60
_WHITES = np.arange(0.0, 0.6, 0.025)
_SLOW_S = np.geomspace(0.03, 1.5, 50)
_FACE = PARTS.index("ear") >= PART_OF_JOINT


@dataclass(frozen=True, slots=True, kw_only=True)
class NoiseFit:
    """Measured parameters; tuples of nine are in the order of `noise.PARTS`, NaN where the clips do not say.

    Attributes:
        clips: names of what was measured.
        frames: of all clips.
        std_m: standard deviation per axis about the clip's mean, at the part's usual confidence.
        std_smoothed_m: the same from smoothed tracks alone.
        bias_m: standard deviation of the constant error of a joint in a clip, the shift of the whole body taken out.
        white: share of the variance that is independent from frame to frame.
        slow_s: time constant of the rest, seconds; shortest and longest clip (of an even distribution of logarithms).
        level: a clip's error relative to ``std_m``, least and most in the same way.
        doubt: the error grows by exp(doubt) while the confidence falls by 1.
        confidence: usual confidence of a joint in sight.
        confidence_std: from clip to clip, and from frame to frame.
        confidence_turned_away: of face points on the far side of the head.
        outlier: short jumps of a joint; small ones that nobody can tell from jitter are added by calculation.
        outlier_m: how far they go, standard deviation per axis.
        lost: a joint's confidence falls below `noise.LEAST_CONFIDENCE`.
        hidden: both outer joints of a limb are below 0.5 for at least 5 frames.
        swapped: left and right are exchanged, in arms or legs, per person.
        missed: share of frames in which a person who is there before and after is not found.
    """

    clips: tuple[str, ...]
    frames: int
    std_m: tuple[float, ...]
    std_smoothed_m: tuple[float, ...]
    bias_m: tuple[float, ...]
    white: float
    slow_s: tuple[float, float]
    level: tuple[float, float]
    doubt: float
    confidence: tuple[float, ...]
    confidence_std: tuple[float, float]
    confidence_turned_away: float
    outlier: Events
    outlier_m: float
    lost: Events
    hidden: Events
    swapped: Events
    missed: float

    def settings(self, assumed: NoiseSettings) -> NoiseSettings:
        """The simulated detector with what was measured; what the clips do not say stays as ``assumed``."""
        face = np.nanmean(self.confidence[: PARTS.index("ear") + 1])
        less = max(0.0, 2 * float(face - self.confidence_turned_away))
        return replace(
            assumed,
            level=self.level,
            white=self.white,
            std_m=_known(self.std_m, assumed.std_m),
            slow_s=self.slow_s,
            confidence=_known(self.confidence, assumed.confidence),
            confidence_std=self.confidence_std,
            doubt=self.doubt,
            turned_away=less if np.isfinite(less) else assumed.turned_away,
            outlier=self.outlier.rate,
            outlier_m=self.outlier_m if self.outlier.count else assumed.outlier_m,
            swapped=self.swapped.rate,
            hidden=self.hidden.rate,
        )


def fit_noise(clips: Sequence[Residuals]) -> NoiseFit:
    """Measure the noise model's parameters.

    Args:
        clips: residuals; some of them against an independent reference.

    Raises:
        InputError: no joint has enough frames against an independent reference.
    """
    full_rate, clips = clips, [_at_reference_rate(clip) for clip in clips]
    usual, in_time = _usual_confidence(clips)
    between = np.concatenate([_of_clip(clip.confidence, clip) - usual[PART_OF_JOINT] for clip in clips])
    doubt = _doubt([clip for clip in clips if clip.smoothed_hz is None] or clips)
    steady = [_Steady.of(clip, doubt, usual) for clip in full_rate]
    independent = [clip for clip in steady if clip.smoothed_hz is None and np.isfinite(clip.std_m).any()]
    if not independent:
        raise InputError(f"no joint has {_LEAST_FRAMES} frames at 30 frames/s against an independent reference")
    white, slow_s = _fast_and_slow(independent)
    independent = [
        replace(clip, std_m=clip.std_m / np.sqrt(_within_clip(clip, np.array(white), np.array(of_clip))))
        for clip, of_clip in zip(independent, slow_s, strict=True)
    ]
    std_m = _by_part(np.median, [clip.std_m for clip in independent])
    smoothed = [
        replace(clip, std_m=clip.std_m / _share_left(clip, clip.smoothed_hz, white, float(np.median(slow_s))))
        for clip in steady
        if clip.smoothed_hz is not None
    ]
    levels = [np.nanmedian(clip.std_m / std_m[PART_OF_JOINT]) for clip in independent]
    slowed = [_Steady.of(with_own_sides(clip), doubt, usual) for clip in clips if clip.smoothed_hz is None]
    outlier, outlier_m = outliers([(clip.error_m, clip.std_m, clip.fps) for clip in slowed])
    return NoiseFit(
        clips=tuple(clip.name for clip in clips),
        frames=sum(len(clip.confidence) for clip in clips),
        std_m=_plain(std_m),
        std_smoothed_m=_plain(_by_part(np.median, [clip.std_m for clip in smoothed])),
        bias_m=_plain(_NORMAL * _by_part(np.median, np.abs([bias for clip in independent for bias in clip.bias_m.T]))),
        white=white,
        slow_s=_ends(slow_s),
        level=_ends(levels),
        doubt=doubt,
        confidence=_plain(usual),
        confidence_std=(_NORMAL * float(np.nanmedian(np.abs(between))), in_time),
        confidence_turned_away=_median(np.concatenate([clip.confidence[clip.turned_away] for clip in clips])),
        outlier=outlier,
        outlier_m=outlier_m,
        lost=lost(clips),
        hidden=hidden(clips),
        swapped=swapped(clips),
        missed=missed(clips),
    )


# --- jitter -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Steady:
    """A clip's residuals without the constant part and as they would be at the usual confidence.

    (T, 17, 2) error, NaN where the joint is not seen; (17, 2) constant part without the whole body's; (17,) std.
    """

    error_m: Floats
    bias_m: Floats
    std_m: Floats
    smoothed_hz: float | None
    fps: float

    @classmethod
    def of(cls, clip: Residuals, doubt: float, usual: Floats) -> _Steady:
        error_m = _seen_errors(clip)
        bias_m = _nanmedian(error_m, axis=0)
        spread = np.exp(doubt * (usual[PART_OF_JOINT] - clip.confidence))
        error_m = (error_m - bias_m) / spread[..., None]
        return cls(
            error_m=error_m,
            bias_m=bias_m - _nanmedian(bias_m, axis=0),
            std_m=_NORMAL * _nanmedian(np.abs(error_m), axis=0).mean(axis=-1),
            smoothed_hz=clip.smoothed_hz,
            fps=clip.fps,
        )


def _at_reference_rate(clip: Residuals) -> Residuals:
    """Every second frame of 60 frames/s: what happens per frame is counted at the rate of the simulation."""
    step = max(1, round(clip.fps / FPS))
    return replace(
        clip,
        error_m=clip.error_m[::step],
        confidence=clip.confidence[::step],
        partner_m=clip.partner_m[::step],
        turned_away=clip.turned_away[::step],
        fps=clip.fps / step,
    )


def _seen_errors(clip: Residuals) -> Floats:
    """Errors of joints that are seen, and often enough to tell; others NaN."""
    known = np.isfinite(clip.error_m).all(axis=-1) & (clip.confidence >= LEAST_CONFIDENCE)
    known &= known.sum(axis=0) >= _LEAST_FRAMES
    return np.where(known[..., None], clip.error_m, np.nan)


def _doubt(clips: Sequence[Residuals]) -> float:
    """The slope of log(error) over confidence, body and face each for itself, each bin of confidence with one vote.

    The error's size is its median over a bin, so that a few wild ones do not decide.
    """
    slopes, votes = [], []
    for parts in (_FACE, ~_FACE):
        size, confidence = [], []
        for clip in clips:
            error_m = _seen_errors(clip)
            error_m = np.abs(error_m - _nanmedian(error_m, axis=0)).mean(axis=-1)
            known = np.isfinite(error_m) & parts
            size.append(error_m[known])
            confidence.append(clip.confidence[known])
        all_sizes, of = np.concatenate(size), np.digitize(np.concatenate(confidence), _BINS)
        bins = [n for n in np.unique(of) if (of == n).sum() >= _LEAST_FRAMES]
        if len(bins) >= 3:
            middle = _BINS[np.array(bins) - 1] + 0.05
            log_size = np.log([np.median(all_sizes[of == n]) for n in bins])
            slopes.append(-np.polyfit(middle, log_size, 1)[0])
            votes.append(len(bins))
    return float(np.average(slopes, weights=votes)) if slopes else 0.0


def _fast_and_slow(clips: Sequence[_Steady]) -> tuple[float, list[float]]:
    """The white share, the same for all clips, and each clip's time constant, from how errors drift apart in time.

    Half the mean square of the difference over a lag (the variogram) of white plus autoregressive noise, variance 1, is
    ``white + (1 - white) * (1 - exp(-lag / slow_s))``. Measured is its ratio to the variance about the clip's mean,
    which is smaller than 1 in a short clip.
    """
    cost = np.zeros((len(clips), len(_WHITES), len(_SLOW_S)))
    for n, clip in enumerate(clips):
        lags_s, measured = _drift(clip)
        slow = 1 - np.exp(-lags_s / _SLOW_S[:, None])
        white = _WHITES[:, None]
        within = _within_clip(clip, white, _SLOW_S)
        model = (white[..., None] + (1 - white[..., None]) * slow) / within[..., None]
        cost[n] = (np.log(model / measured) ** 2).mean(axis=-1)  # ratios: short lags are small and matter
    best = int(cost.min(axis=2).sum(axis=0).argmin())
    return float(_WHITES[best]), [float(_SLOW_S[of_clip[best].argmin()]) for of_clip in cost]


def _within_clip(clip: _Steady, white: Floats, slow_s: Floats) -> Floats:
    """Variance of the model's noise about its mean over the clip, the whole being 1; arrays of one shape, broadcast."""
    frames = len(clip.error_m)
    lags = np.arange(1, frames)
    together = 1 + 2 * ((1 - lags / frames) * np.exp(-lags / (slow_s[..., None] * clip.fps))).sum(axis=-1)
    return np.asarray(1 - (white + (1 - white) * together) / frames)


def _drift(clip: _Steady) -> tuple[Floats, Floats]:
    """Lags in seconds and the variogram, relative to the variance, the median over the joints."""
    steps = np.unique(np.round(_LAGS_S * clip.fps).astype(int))
    steps = steps[(steps > 0) & (steps < len(clip.error_m) // 3)]
    unit = clip.error_m / clip.std_m[:, None]
    apart = [np.abs(unit[step:] - unit[:-step]).reshape(-1, unit.shape[1] * 2) for step in steps]
    gamma = [_median(0.5 * (_NORMAL * _nanmedian(a, axis=0)) ** 2) for a in apart]
    known = np.isfinite(gamma)
    return steps[known] / clip.fps, np.array(gamma)[known]


def _share_left(clip: _Steady, cutoff_hz: float, white: float, slow_s: float) -> float:
    """What smoothing by a track's own low pass leaves of the standard deviation of the model's noise."""
    frames = 401
    impulse = np.zeros(frames)
    impulse[frames // 2] = 1
    left = impulse - sosfiltfilt(butter(2, cutoff_hz, fs=clip.fps, output="sos"), impulse)
    lags = np.abs(np.subtract.outer(np.arange(frames), np.arange(frames)))
    covariance = white * np.eye(frames) + (1 - white) * np.exp(-lags / (slow_s * clip.fps))
    return float(np.sqrt(left @ covariance @ left))


# --- confidence -------------------------------------------------------------------------------------------------------


def _of_clip(confidence: Floats, clip: Residuals) -> Floats:
    """(17,) medians of the joints in sight, NaN for others; face points only where they are not turned away."""
    there, shown = in_sight(clip)
    plain = np.where(clip.turned_away | ~there[:, None], np.nan, confidence)
    return np.where(shown, _nanmedian(plain, axis=0), np.nan)


def _usual_confidence(clips: Sequence[Residuals]) -> tuple[Floats, float]:
    """(9,) by part, and the standard deviation in time."""
    medians = [_of_clip(clip.confidence, clip) for clip in clips]
    off = [_of_clip(np.abs(clip.confidence - median), clip) for clip, median in zip(clips, medians, strict=True)]
    return _by_part(np.median, medians), _NORMAL * _median(np.concatenate(off))


# --- small things -----------------------------------------------------------------------------------------------------


def _by_part(average: Callable[[Floats], np.floating], values: Sequence[Floats] | Floats) -> Floats:
    """(9,) over the clips' (17,), NaN left out, NaN where nothing is left."""
    table = np.array(values).reshape(-1, len(PART_OF_JOINT))
    of_parts = [table[:, n == PART_OF_JOINT] for n in range(len(PARTS))]
    return np.array([average(part[np.isfinite(part)]) if np.isfinite(part).any() else np.nan for part in of_parts])


def _nanmedian(values: Floats, axis: int) -> Floats:
    """``np.nanmedian`` that does not complain about NaN alone."""
    some = np.isfinite(values).any(axis=axis, keepdims=True)
    median = np.nanmedian(np.where(some, values, 0), axis=axis, keepdims=True)
    return np.asarray(np.squeeze(np.where(some, median, np.nan), axis=axis))


def _median(values: Floats) -> float:
    known = np.asarray(values)[np.isfinite(values)]
    return float(np.median(known)) if known.size else float("nan")


def _ends(values: Sequence[float]) -> tuple[float, float]:
    """The ends of a distribution that is even over logarithms, by the 10 % and 90 % quantiles."""
    low, high = np.nanquantile(np.log(values), [0.1, 0.9])
    return float(np.exp(low - (high - low) / 8)), float(np.exp(high + (high - low) / 8))


def _known(measured: tuple[float, ...], assumed: tuple[float, ...]) -> tuple[float, ...]:
    return tuple(m if np.isfinite(m) else a for m, a in zip(measured, assumed, strict=True))


def _plain(values: Floats) -> tuple[float, ...]:
    return tuple(float(value) for value in values)
