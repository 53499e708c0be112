"""2D joints as a live camera delivers them -> joints in metres, while the person moves.

Each picture is encoded by itself (`encode` of the whole clip looks back, too, but only at the last picture that showed
something) and goes through a `streaming.StreamingLifter`. The results are those of ``monocular.py`` for the clip so
far, later by the lifter's look-ahead; a causal lifter has none.

Time: the network runs at its own rate, ``meta.fps``, from the first picture on. When a picture comes, the ticks since
the one before are filled by linear interpolation between the two, so nothing waits for a later picture; results are
about ticks and say their time. Pictures without a time are taken as one for each tick.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.camera import Camera
from mocap3d.base.errors import InputError
from mocap3d.base.pose import Pose2D
from mocap3d.base.projection import px_to_rays
from mocap3d.lift.encoding import SCREEN_NORMALISED, Encoded, cam_from_virtual, encode
from mocap3d.lift.holding import RunningHold, longest_hold
from mocap3d.lift.lifter_weights import LifterMeta, LifterWeights, load_weights
from mocap3d.lift.monocular import Lifted, body_of
from mocap3d.lift.outputs import read_outputs
from mocap3d.lift.resample import between
from mocap3d.lift.screen_encoding import encode_screen, px_to_screen
from mocap3d.lift.streaming import StreamingLifter

__all__ = [
    "LiveFrame",
    "LiveLifter",
    "RunningEncoder",
]

_Floats = NDArray[np.float64]

_LONGEST_GAP_S = 0.5  # after more than this without a picture, the next one begins a new shot
_SAME_TIME = 1e-6  # of a tick: what the sums of times may round


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LiveFrame:
    """What is said about one instant.

    Attributes:
        time_s: which instant, on the clock of the pictures.
        lifted: one frame of what `monocular.lift_everything` returns.
    """

    time_s: float
    lifted: Lifted


class LiveLifter:
    """One person before a live camera.

    Args:
        camera: the camera; its lens is used, its pose is not.
        weights: the lifter; the shipped causal one when None. Causal ones answer at once.
        height_m: body height of the person; everything scales with it.

    Attributes:
        delay_s: how much later than its picture a result comes.
    """

    def __init__(self, camera: Camera, *, weights: LifterWeights | None = None, height_m: float = 1.70) -> None:
        weights = load_weights(causal=True) if weights is None else weights
        if not (np.isfinite(height_m) and height_m > 0):
            raise InputError(f"height_m must be above 0, got {height_m}")
        self._camera, self._weights = camera, weights
        self._scale = height_m / weights.meta.stature_m
        self._stream = StreamingLifter(weights)
        self.delay_s = float(self._stream.delay / weights.meta.fps)
        self.reset()

    def reset(self) -> None:
        """Begin a new shot; what is still to come about the old one is forgotten (`flush` brings it)."""
        self._stream.reset()
        self._encoder = RunningEncoder(self._weights.meta)
        self._hold = RunningHold(longest_hold(float(self._weights.meta.fps)))
        self._waiting: list[tuple[float, Encoded, _Floats]] = []
        self._first_s, self._ticks = 0.0, 0
        self._picture: tuple[float, tuple[_Floats, _Floats]] | None = None

    def push(
        self, xy_px: NDArray[np.float64], confidence: NDArray[np.float64], time_s: float | None = None
    ) -> list[LiveFrame]:
        """Take the joints of the next picture.

        Args:
            xy_px: (J, 2) of the weights' input skeleton; NaN where not seen.
            confidence: (J,) in 0..1, 0 where not seen.
            time_s: when the picture was taken, seconds on any clock; None: at the next tick.

        Returns:
            What can be said now: one frame for each tick since the last picture, none if there was none, and none
            until the lifter has seen enough ahead. A pause of more than half a second begins a new shot, and what was
            still to come about the old one comes first.

        Raises:
            InputError: other joints than the lifter takes, or a time that is not after the last.
        """
        meta = self._weights.meta
        pose = Pose2D(xy_px=xy_px[None], confidence=confidence[None], fps=meta.fps, skeleton=meta.skeletons[0])
        on_screen = meta.encoding == SCREEN_NORMALISED
        points = px_to_screen(self._camera, pose.xy_px) if on_screen else px_to_rays(self._camera, pose.xy_px)
        frame = (points[0], np.array(pose.confidence[0]))
        time_s = self._tick_s() if time_s is None else float(time_s)
        ended = self._end_of_shot(time_s)
        if self._picture is None:
            self._first_s, self._picture = time_s, (time_s, frame)
        last_s, last = self._picture
        found = []
        while self._tick_s() <= time_s + _SAME_TIME / float(meta.fps):
            part = 1.0 if time_s == last_s else min((self._tick_s() - last_s) / (time_s - last_s), 1.0)
            found += self._tick(*between(last, frame, part))
        self._picture = (time_s, frame)
        return ended + found

    def flush(self) -> list[LiveFrame]:
        """End the shot.

        Returns:
            What is still to come about it, the last picture standing for those that would follow.
        """
        found = [self._result(output) for output in self._stream.flush()]
        self.reset()
        return found

    def _tick_s(self) -> float:
        """When the network's next frame is."""
        return self._first_s + float(self._ticks / self._weights.meta.fps)

    def _end_of_shot(self, time_s: float) -> list[LiveFrame]:
        if not np.isfinite(time_s) or (self._picture is not None and time_s <= self._picture[0]):
            raise InputError(f"a picture must come after the last one, got time_s = {time_s}")
        over = self._picture is not None and time_s - self._picture[0] > _LONGEST_GAP_S
        return self.flush() if over else []

    def _tick(self, points: _Floats, confidence: _Floats) -> list[LiveFrame]:
        if self._weights.meta.encoding != SCREEN_NORMALISED:
            points = self._hold.push(points)
        encoded = self._encoder.push(points, confidence)
        self._waiting.append((self._tick_s(), encoded, confidence))
        self._ticks += 1
        output = self._stream.push(encoded.features[0])
        return [] if output is None else [self._result(output)]

    def _result(self, output: NDArray[np.float32]) -> LiveFrame:
        """Name the numbers about the frame that has waited longest."""
        meta = self._weights.meta
        time_s, encoded, confidence = self._waiting.pop(0)
        found = read_outputs(meta, output[None], encoded.scale)

        def in_camera(virtual_m: NDArray[np.floating]) -> _Floats:
            return cam_from_virtual(virtual_m, encoded.virtual_from_cam).astype(np.float64) * self._scale

        def as_floats(values: NDArray[np.floating] | None, scale: float = 1.0) -> _Floats | None:
            return None if values is None else values.astype(np.float64) * scale

        lifted = Lifted(
            body=body_of(self._weights, in_camera(found.xyz_m), confidence[None], meta.fps, self._scale),
            root_m=None if found.root_m is None else in_camera(found.root_m[:, None])[:, 0],
            root_std_m=as_floats(found.root_std_m, self._scale),
            contacts=as_floats(found.contacts),
        )
        return LiveFrame(time_s=time_s, lifted=lifted)


class RunningEncoder:
    """`encode` or `encode_screen` for one frame after the other, equal to that of the whole clip.

    What they look back at is carried in one or two frames that stand for all earlier ones.

    Args:
        meta: of the lifter that the features are for.
    """

    def __init__(self, meta: LifterMeta) -> None:
        self._meta = meta
        self._past: list[tuple[_Floats, _Floats]] = []

    def push(self, points: _Floats, confidence: _Floats) -> Encoded:
        """Encode the next frame.

        Args:
            points: (J, 3) from `px_to_rays` or `px_to_screen`; NaN where not seen.
            confidence: (J,).

        Returns:
            One frame: features (1, F), virtual camera (1, 3, 3) and scale (1,).
        """
        frame = (points, confidence)
        clip = [np.stack(part) for part in zip(*self._past, frame, strict=True)]
        if self._meta.encoding == SCREEN_NORMALISED:
            encoded = encode_screen(clip[0], clip[1], self._meta.skeletons[0])
            # Where each joint was last.
            known = np.isfinite(points).all(axis=-1, keepdims=True)
            self._past = [(np.where(known, points, self._past[0][0]) if self._past else points, confidence)]
        else:
            encoded = encode(clip[0], clip[1], self._meta.skeletons[0], self._meta.encoding)
            self._past = self._looked_back_at(frame, encoded.scale)
        return Encoded(
            features=encoded.features[-1:],
            virtual_from_cam=encoded.virtual_from_cam[-1:],
            scale=encoded.scale[-1:],
        )

    def _looked_back_at(
        self, frame: tuple[_Floats, _Floats], scale: NDArray[np.floating]
    ) -> list[tuple[_Floats, _Floats]]:
        """The last frame that had a scale of its own, then the last one in which anything was known."""
        if not self._past:
            return [frame, frame]
        with_scale, with_anything = self._past
        # A scale that is held is exactly that of the frame before; if one of its own is the same, either will do.
        if scale[-1] != scale[-2]:
            with_scale = frame
        if np.isfinite(frame[0]).all(axis=-1).any():
            with_anything = frame
        return [with_scale, with_anything]
