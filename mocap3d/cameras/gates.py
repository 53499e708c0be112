"""Gates against calibrations that are wrong and yet fit: nothing is believed for its reprojection error alone.

A small error says that the cameras agree with each other, not that they agree with the world: a published calibration
had 0.28 px with the world upside down. So people, whose size and posture are known, are measured through the cameras,
and every camera is compared with what the others say. A gate that fails says what to do or to film again.

```
gates = check_cameras(cameras, people)
refuse_failed(gates)   # CalibrationError with the sentences of those that failed
```
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mocap3d.base.camera import Camera
from mocap3d.base.pose import Pose2D
from mocap3d.cameras.gate import Gate, make_gate
from mocap3d.cameras.gate_measures import Scene
from mocap3d.cameras.sync.motion import sync_motion

__all__ = ["GateLimits", "check_cameras", "check_heights", "check_lenses"]


@dataclass(frozen=True, slots=True, kw_only=True)
class GateLimits:
    """Where gates close. Lengths are shares of a person's height unless their name says otherwise.

    Attributes:
        trunk_up: people's trunks point upwards by at least so much, on average (1 is straight up).
        foot_low: the lower ankle is usually not lower than this, ...
        foot_high: ... and not higher.
        camera_low: every camera is at least so high above the floor.
        in_front: share of joints whose rays meet in front of the cameras.
        stature_m: the shortest and the tallest plausible person.
        fov_deg: narrowest and widest plausible lens.
        angle_deg: every camera sees people from a direction that differs by this from another camera's.
        misfit: median distance of a camera's joints from where the others say they are.
        shift: how far that may move in the course of a clip.
        frames_late: how many frames later than the others a camera may be.
        limbs: how far limbs may be from one length each.
        facing: share of moments in which the nose must be in front.
        shared_s: how long every camera must have seen what another saw too.
    """

    trunk_up: float = 0.3
    foot_low: float = -0.1
    foot_high: float = 0.35
    camera_low: float = 0.02
    in_front: float = 0.9
    stature_m: tuple[float, float] = (1.3, 2.2)
    fov_deg: tuple[float, float] = (12.0, 130.0)
    angle_deg: float = 5.0
    misfit: float = 0.05
    shift: float = 0.045
    frames_late: float = 1.5
    limbs: float = 0.2
    facing: float = 0.5
    shared_s: float = 0.5


def check_cameras(
    cameras: Sequence[Camera], people: Sequence[Sequence[Pose2D | None]], *, limits: GateLimits | None = None
) -> tuple[Gate, ...]:
    """Ask everything that people can tell about cameras.

    Args:
        cameras: C cameras in the world: metres, +Y up, floor at y = 0.
        people: per person what each camera saw, on one clock; COCO-17, or any skeleton with the names of its limbs.
        limits: where gates close.

    Raises:
        InputError: one camera, nobody, or lists that do not fit.
    """
    chosen = limits or GateLimits()
    scene = Scene(cameras=tuple(cameras), people=tuple(tuple(own) for own in people))
    gates = list(check_lenses(cameras, limits=chosen))
    for ask in (_seen_together, _apart, _in_front, _agreement, _steady, _upright, _size, _bodies, _sides):
        gates += ask(scene, chosen)
    return tuple(gates)


def check_lenses(cameras: Sequence[Camera], *, limits: GateLimits | None = None) -> tuple[Gate, ...]:
    """Ask whether lenses can be lenses; needs nobody in the picture.

    Args:
        cameras: wherever they stand.
        limits: where gates close.
    """
    chosen = limits or GateLimits()
    low, high = chosen.fov_deg
    gates = []
    for camera in cameras:
        (fx, fy), (cx, cy) = np.diag(camera.K)[:2], camera.K[:2, 2]
        width, height = camera.size_wh_px
        square = max(fx / fy, fy / fx)
        aside = max(abs(cx - (width - 1) / 2) / width, abs(cy - (height - 1) / 2) / height)
        fine = low <= camera.fov_deg <= high and square <= 1.15 and aside <= 0.3
        gates.append(
            make_gate(
                f"lens of {camera.name}",
                fine,
                camera.fov_deg,
                f"a field of view of {low:g} to {high:g} degrees, square pixels, an axis near the middle",
                f"the lens of camera {camera.name!r} cannot be one (field of view {camera.fov_deg:.0f} degrees, focal "
                f"lengths {fx:.0f} and {fy:.0f} px, axis at {cx:.0f}, {cy:.0f}): film the board again, tilted, near "
                "and far, in all corners of the picture",
            )
        )
    return tuple(gates)


def check_heights(cameras: Sequence[Camera], *, size_m: float = 1.7, limits: GateLimits | None = None) -> Gate:
    """Ask whether cameras are above the floor; needs nobody in the picture.

    Args:
        cameras: in the world, floor at y = 0.
        size_m: the usual height of a person.
        limits: where the gate closes.
    """
    heights = np.array([camera.world_from_cam[1, 3] for camera in cameras]) / size_m
    lowest = int(np.argmin(heights))
    return make_gate(
        "cameras above the floor",
        float(heights[lowest]) >= (limits or GateLimits()).camera_low,
        float(heights[lowest]),
        "every camera above y = 0",
        f"camera {cameras[lowest].name!r} is below the floor: the vertical or the floor is wrong; let people say where "
        "they are (`--floor people`), film somebody who walks, feet in view of two cameras, or lay the board on the "
        "floor",
    )


# --- the questions ----------------------------------------------------------------------------------------------------


def _seen_together(scene: Scene, limits: GateLimits) -> list[Gate]:
    shared = scene.shared_moments()
    worst = int(np.argmin(shared))
    return [
        make_gate(
            "leverage",
            float(shared[worst]) >= limits.shared_s,
            float(shared[worst]),
            f"at least {limits.shared_s:g} s seen together with another camera",
            f"camera {_name(scene, worst)} shares {shared[worst]:.1f} s with the others, so that single pictures "
            "decide where it stands: film somebody who walks about where its view overlaps the others'",
        )
    ]


def _apart(scene: Scene, limits: GateLimits) -> list[Gate]:
    angles = np.degrees(scene.angles_rad())
    worst = int(np.argmin(angles))
    same = scene.same_places()
    gates = [
        make_gate(
            "directions",
            float(angles[worst]) >= limits.angle_deg,
            float(angles[worst]),
            f"at least {limits.angle_deg:g} degrees between a camera and another",
            f"camera {_name(scene, worst)} sees people from where the others do (within {angles[worst]:.1f} degrees), "
            "which tells no depth: put it elsewhere, best 60 to 120 degrees around, and film again",
        )
    ]
    for c, d in same:
        advice = (
            f"cameras {_name(scene, c)} and {_name(scene, d)} stand at one place and look the same way: the same video "
            "or the same camera was given twice; give each once"
        )
        gates.append(make_gate("different cameras", False, 0.0, "no two cameras at one place", advice))
    return gates


def _in_front(scene: Scene, limits: GateLimits) -> list[Gate]:
    share = scene.in_front()
    return [
        make_gate(
            "in front",
            share >= limits.in_front,
            share,
            f"at least {limits.in_front:.0%} of the joints in front of the cameras",
            f"only {share:.0%} of the joints lie in front of the cameras that saw them: a camera looks the other "
            "way, its picture is mirrored, or videos are not of one moment; check the order of the cameras, then "
            "calibrate again",
        )
    ]


def _agreement(scene: Scene, limits: GateLimits) -> list[Gate]:
    """Held-out reprojection; and where it is large, whether a mirrored picture or a lag is why."""
    misfit = scene.misfits()
    worst = int(np.argmax(misfit))
    fine = float(misfit[worst]) <= limits.misfit
    held = "held-out reprojection" if len(scene.cameras) > 2 else "reprojection"
    gates = [
        make_gate(
            held,
            fine,
            float(misfit[worst]),
            f"at most {limits.misfit:.1%} of a person's height",
            f"camera {_name(scene, worst)} sees people {misfit[worst]:.1%} of their height from where the other "
            "cameras say they are: it was moved or zoomed, its video is mirrored or of another moment (`mocap3d "
            "sync`), or it belongs to another calibration; put that right, or calibrate again and do not touch it "
            "afterwards",
        )
    ]
    # A walk looks alike half a cycle later and mirrored: what is mirrored may seem late.
    return gates + (_mirrored(scene, misfit, limits) or _synchronous(scene, float(misfit[worst]), limits))


def _mirrored(scene: Scene, misfit: np.ndarray, limits: GateLimits) -> list[Gate]:
    """Whether mirroring one picture back makes all cameras agree."""
    if misfit.max() <= limits.misfit:
        return []
    back = np.array([scene.mirrored_back(c).worst_misfit() for c in range(len(misfit))])
    c = int(np.argmin(back))
    if not back[c] < min(limits.misfit, misfit.max() / 2):
        return []
    advice = (
        f"the picture of camera {_name(scene, c)} is mirrored, as selfie cameras do: turn mirroring off and film "
        "again, or mirror the video back"
    )
    return [make_gate("mirrored", False, float(back[c]), "pictures as they are", advice)]


def _synchronous(scene: Scene, misfit: float, limits: GateLimits) -> list[Gate]:
    """Small lags show in the residuals of what moves; large ones are looked for where cameras disagree."""
    late = np.nan_to_num(scene.late_s())
    if misfit > 0.8 * limits.misfit:
        views = [[own[c] for own in scene.people] for c in range(len(scene.cameras))]
        found = sync_motion([[pose for pose in own if pose is not None] for own in views])
        # Frame t of a camera that started later shows a later moment. A lag is one only if undoing it mends things.
        offsets = np.where(found.confidence > 0.3, found.offsets_s, 0.0)
        late = np.array([np.median(np.delete(offsets, c)) - own for c, own in enumerate(offsets)])
        if np.abs(late).max() * scene.fps > 1:
            mended = scene.shifted(offsets)
            if mended is None or not mended.worst_misfit() < 0.6 * misfit:
                late = np.zeros_like(late)
    worst = int(np.argmax(np.abs(late)))
    frames = float(np.abs(late[worst]) * scene.fps)
    return [
        make_gate(
            "synchronous",
            frames <= limits.frames_late,
            float(late[worst]),
            f"within {limits.frames_late:g} frames",
            f"camera {_name(scene, worst)} shows things {abs(late[worst]):.2f} s "
            f"{'later' if late[worst] > 0 else 'earlier'} than the others: synchronise the videos (`mocap3d sync`, "
            "`--sync motion`), or clap once in view of all cameras and film again",
        )
    ]


def _steady(scene: Scene, limits: GateLimits) -> list[Gate]:
    shifts, when = scene.shifts()
    if not np.isfinite(shifts).any():
        return []
    worst = int(np.nanargmax(shifts))
    # What one camera does shows in the others too, the more the fewer there are.
    likely = [c for c in np.argsort(-np.nan_to_num(shifts)) if shifts[c] > 0.6 * shifts[worst]]
    who = " or ".join(_name(scene, int(c)) for c in likely)
    return [
        make_gate(
            "steady",
            float(shifts[worst]) <= limits.shift,
            float(shifts[worst]),
            f"at most {limits.shift:.1%} of a person's height",
            f"camera {who} agrees with the others differently before and after about "
            f"{when[worst]:.1f} s: it was bumped or turned; fix it firmly, and calibrate and film again, or use the "
            "part before",
        )
    ]


def _upright(scene: Scene, limits: GateLimits) -> list[Gate]:
    trunk = scene.trunk_up()
    if not np.isfinite(trunk):  # nothing meets in space, which other gates say
        return []
    upside = "the world is upside down" if trunk < -limits.trunk_up else "people do not stand upright in this world"
    upright = make_gate(
        "upright",
        trunk >= limits.trunk_up,
        trunk,
        f"trunks point up by at least {limits.trunk_up:g}",
        f"{upside}: the vertical is wrong; let people say where up and the floor are (`--floor people`), or film "
        "somebody who stands and walks, or lay the board flat on the floor, face up, for the world's axes",
    )
    return [upright, *_feet(scene, limits), check_heights(scene.cameras, size_m=scene.size_m, limits=limits)]


def _feet(scene: Scene, limits: GateLimits) -> list[Gate]:
    """Whether anybody stands on the floor: others may stand on a platform, or beside it."""
    feet = scene.lowest_feet()
    if not np.isfinite(feet).any():
        return []
    off = np.nan_to_num(np.maximum(limits.foot_low - feet, feet - limits.foot_high), nan=np.inf)
    value = float(feet[np.argmin(off)])
    return [
        make_gate(
            "feet on the floor",
            float(off.min()) <= 0,
            value,
            f"ankles from {limits.foot_low:g} to {limits.foot_high:g} of a person's height",
            f"people's feet are {abs(value):.2f} of their height {'below' if value < 0 else 'above'} the floor: the "
            "floor is wrong; let people say where it is (`--floor people`), film somebody who walks over it, feet in "
            "view, or lay the board on it",
        )
    ]


def _size(scene: Scene, limits: GateLimits) -> list[Gate]:
    low, high = limits.stature_m
    statures = scene.statures_m[np.isfinite(scene.statures_m)]
    if not len(statures):
        return []
    usual = float(np.median(statures))
    return [
        make_gate(
            "size",
            low <= usual <= high,
            usual,
            f"people of {low:g} to {high:g} m",
            f"people are {usual:.2f} m tall in this world: the size of the board's squares, the known distance or "
            "the height was given wrong (metres, millimetres?); correct it and calibrate again",
        )
    ]


def _bodies(scene: Scene, limits: GateLimits) -> list[Gate]:
    vary = scene.limbs_vary()
    if not np.isfinite(vary):
        return []
    return [
        make_gate(
            "bodies",
            vary <= limits.limbs,
            vary,
            f"limbs of one length, within {limits.limbs:.0%}",
            f"arms and legs change their length by {vary:.0%} as people move: the cameras agree on a wrong space; "
            "check that no picture is mirrored and that all videos are of one moment, then calibrate with a third "
            "camera or a board",
        )
    ]


def _sides(scene: Scene, limits: GateLimits) -> list[Gate]:
    facing = scene.facing()
    if not np.isfinite(facing):
        return []
    return [
        make_gate(
            "left and right",
            facing >= limits.facing,
            facing,
            f"noses in front at least {limits.facing:.0%} of the time",
            "people look backwards: left and right are exchanged, so the pictures are mirrored; turn mirroring off "
            "and film again, or mirror the videos back",
        )
    ]


def _name(scene: Scene, c: int) -> str:
    return repr(scene.cameras[c].name)
