"""A lifter judged on a motion-data file: 2D views in, a table of errors by action out.

Joins the stages lift and quality, as ``pipeline.py`` joins those of a capture. For every sequence and camera: the 2D
joints of one detector are lifted and compared with the true joints in the camera's axes, both around their roots, over
the 17 joints of Human3.6M. docs/evaluation.md says what the numbers mean.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.camera import Camera
from mocap3d.base.conversions import conversion, convert
from mocap3d.base.errors import InputError
from mocap3d.base.pose import Pose2D
from mocap3d.base.skeletons import HUMAN36M_17
from mocap3d.data_prep.motion_file import MotionWriter
from mocap3d.data_prep.motion_read import read_cameras, read_sequences, read_view, view_names
from mocap3d.data_prep.motion_sequence import MotionSequence
from mocap3d.lift.lifter_weights import LifterWeights, load_weights
from mocap3d.lift.mirror import lift_both_ways
from mocap3d.lift.monocular import Lifted, lift_everything
from mocap3d.quality.action_table import ActionTable
from mocap3d.quality.pose3d import ROOT_RULES, RootRule, around_root
from mocap3d.quality.tally import PoseTally

__all__ = ["HUMAN36M_ACTIONS", "LifterEvaluation", "LifterProtocol", "Progress", "evaluate_lifter"]

HUMAN36M_ACTIONS: Final = (
    "directions", "discussion", "eating", "greeting", "phoning", "takingphoto", "posing", "purchases", "sitting",
    "sittingdown", "smoking", "waiting", "walkingdog", "walking", "walkingtogether",
)  # fmt: skip
"""Human3.6M's actions in the order of published tables; each was recorded twice (``walking_1``, ``walking_2``)."""

Progress = Callable[[str, int, int | None], None]
"""Called with the step's name, how much is done, and of how much."""

_TAKES: Final = (1, 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class LifterProtocol:
    """How a lifter is judged.

    Attributes:
        subjects: who it is judged on; Human3.6M's protocols say S9 and S11.
        detector: whose 2D joints go in; "true" are projections of the true joints.
        root_rule: "subtract" takes each root from its own body; "videopose3d" takes the prediction as it is.
        flip: lift the mirror image too and take the mean.
        device: "cpu" or a torch device.
        model: what the result is called in files.
    """

    subjects: tuple[str, ...] = ("S9", "S11")
    detector: str = "true"
    root_rule: RootRule = "subtract"
    flip: bool = False
    device: str = "cpu"
    model: str = "lifter"

    def __post_init__(self) -> None:
        """Check what would be found out only after minutes."""
        if not self.subjects or len(set(self.subjects)) < len(self.subjects):
            raise InputError(f"subjects must be one or more different names, got {self.subjects}")
        if self.root_rule not in ROOT_RULES:
            raise InputError(f"root_rule must be one of {', '.join(ROOT_RULES)}, got {self.root_rule!r}")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LifterEvaluation:
    """What `evaluate_lifter` found.

    Attributes:
        table: errors by action, their unweighted average, and the mean over all frames.
        protocol: how it was measured.
        data: the file it was measured on.
        weights_sha256: of the weights file.
        present: subject -> the sequences that were measured.
        absent: subject -> sequences of Human3.6M (15 actions, two takes) that were not; empty for subjects of other
            data sets.
        skipped: SUBJECT/ACTION/CAMERA without a view by the detector.
    """

    table: ActionTable
    protocol: LifterProtocol
    data: Path
    weights_sha256: str
    present: dict[str, tuple[str, ...]]
    absent: dict[str, tuple[str, ...]]
    skipped: tuple[str, ...]

    def to_text(self) -> str:
        """The table for a terminal, and what was measured below it."""
        return "\n".join([self.table.to_text(), "", *self._remarks()])

    def to_markdown(self) -> str:
        """The table in Markdown, and what was measured below it."""
        return "\n".join([self.table.to_markdown(), "", *(f"* {remark}" for remark in self._remarks())])

    def to_json(self) -> dict[str, Any]:
        """Everything in plain types, for ``json.dumps``."""
        return {
            "data": str(self.data),
            "weights_sha256": self.weights_sha256,
            **asdict(self.protocol),
            **self.table.to_dict(),
            "present": {subject: list(takes) for subject, takes in self.present.items()},
            "absent": {subject: list(takes) for subject, takes in self.absent.items()},
            "skipped": list(self.skipped),
        }

    def _remarks(self) -> Iterator[str]:
        how, flipped = self.protocol, " and its mirror image" if self.protocol.flip else ""
        yield f"{how.model}, fed by {how.detector!r}{flipped}; 17 joints, the root counted; root rule {how.root_rule!r}"
        yield "averages over actions are unweighted: each action counts once"
        for subject, takes in self.present.items():
            absent = self.absent[subject]
            of = f" of {len(takes) + len(absent)}" if absent else ""
            yield f"{subject}: {len(takes)}{of} sequences: {' '.join(takes)}"
            if absent:
                yield f"{subject}: absent: {' '.join(absent)}"
        if self.skipped:
            yield f"without a view by {how.detector!r}: {' '.join(self.skipped)}"


def evaluate_lifter(
    data: str | os.PathLike[str],
    weights: LifterWeights | str | os.PathLike[str] | None = None,
    *,
    protocol: LifterProtocol | None = None,
    output: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> LifterEvaluation:
    """Judge a lifter.

    Joints that the truth does not know stay out; joints that the detector missed count, since the lifter has to say
    something. One sequence is in memory at a time.

    Args:
        data: motion-data file with cameras and views.
        weights: a lifter or its file; the shipped one when None.
        protocol: how; the field's own when None.
        output: HDF5 to write for the viewer: sequences, cameras, views, and the predictions in the world, where a
            lifter that says nothing of the root's place gets the true root.
        progress: told how far the work is.

    Raises:
        InputError: subjects, cameras or views are missing, or not what the weights need; the message says what to do.
        FileFormatError: not a motion-data file, or not the weights of a lifter.
        MissingExtraError: a device other than "cpu" without torch.
    """
    how, source, target = protocol or LifterProtocol(), Path(data), None if output is None else Path(output)
    if target is not None and target.exists() and source.exists() and target.samefile(source):
        raise InputError(f"the results would overwrite the data in {source}")
    lifter = weights if isinstance(weights, LifterWeights) else load_weights(None if weights is None else Path(weights))
    views, skipped = _plan(source, how, lifter)
    total = sum(map(len, views.values()))
    tallies: dict[str, PoseTally] = {}
    with _written(target, how, lifter) as write:
        for done, judged in enumerate(_judged(source, views, lifter, how), start=1):
            action = _without_take(judged.sequence.action)
            tallies[action] = tallies[action] + judged.tally if action in tallies else judged.tally
            write(judged)
            if progress is not None:
                progress("evaluate", done, total)
    present = {s: tuple(action for subject, action in views if subject == s) for s in how.subjects}
    return LifterEvaluation(
        table=ActionTable(tallies={action: tallies[action] for action in _in_order(tallies)}),
        protocol=how,
        data=source,
        weights_sha256=lifter.sha256,
        present=present,
        absent={subject: _absent(takes) for subject, takes in present.items()},
        skipped=skipped,
    )


# --- what there is to judge -------------------------------------------------------------------------------------------

_Views = dict[tuple[str, str], tuple[str, ...]]
"""(subject, action) -> the cameras whose views are lifted."""


def _plan(source: Path, how: LifterProtocol, lifter: LifterWeights) -> tuple[_Views, tuple[str, ...]]:
    """Find the views of the detector, and refuse at once what could not be judged."""
    views: _Views = {}
    skipped = []
    for sequence in read_sequences(source, frozenset(how.subjects)):
        key = sequence.subject, sequence.action
        if not conversion(sequence.skeleton, HUMAN36M_17).is_exact:
            raise InputError(f"{'/'.join(key)} has {sequence.skeleton.name} joints: not the 17 of Human3.6M")
        detectors = view_names(source, *key)
        views[key] = tuple(camera for camera, names in detectors.items() if how.detector in names)
        skipped += [f"{'/'.join(key)}/{camera}" for camera in detectors if camera not in views[key]]
    missing = [subject for subject in how.subjects if subject not in {subject for subject, _ in views}]
    if missing:
        there = " ".join(dict.fromkeys(sequence.subject for sequence in read_sequences(source)))
        raise InputError(f"{source} has no {' '.join(missing)}; its subjects are: {there or 'none'}")
    views = {key: cameras for key, cameras in views.items() if cameras}
    _check_views(source, how, lifter, views)
    return views, tuple(skipped)


def _check_views(source: Path, how: LifterProtocol, lifter: LifterWeights, views: _Views) -> None:
    """Say what to do when the detector has no views, or views of other joints than the weights were trained on."""
    wanted = lifter.meta.input_skeleton
    if not views:
        raise InputError(
            f"{source} has no views by {how.detector!r} of {' '.join(how.subjects)}; it has: "
            f"{_detectors_text(source, how)}. Views come with `mocap3d data prepare human36m`"
        )
    (subject, action), cameras = next(iter(views.items()))
    found = read_view(source, subject, action, cameras[0], how.detector).skeleton.name
    if found != wanted:
        raise InputError(
            f"these weights lift {wanted} joints, and the views by {how.detector!r} hold {found}; {source} has: "
            f"{_detectors_text(source, how)}. Take weights that were trained on {found}, or a detector of {wanted}"
        )


def _detectors_text(source: Path, how: LifterProtocol) -> str:
    """The detectors of a file and their joints, by the first view of each."""
    found: dict[str, str] = {}
    for sequence in read_sequences(source, frozenset(how.subjects)):
        for camera, names in view_names(source, sequence.subject, sequence.action).items():
            for name in set(names) - set(found):
                found[name] = read_view(source, sequence.subject, sequence.action, camera, name).skeleton.name
    return ", ".join(f"{name!r} ({skeleton})" for name, skeleton in sorted(found.items())) or "no views at all"


def _without_take(action: str) -> str:
    """``walking_1`` -> ``walking``: the takes of an action are one row."""
    return re.sub(r"_\d+$", "", action)


def _in_order(actions: Collection[str]) -> list[str]:
    """Human3.6M's actions as papers print them, then others by name."""
    known = [action for action in HUMAN36M_ACTIONS if action in actions]
    return known + sorted(set(actions) - set(known))


def _absent(takes: Collection[str]) -> tuple[str, ...]:
    """What a subject of Human3.6M lacks; nothing for other data sets."""
    if not any(_without_take(take) in HUMAN36M_ACTIONS for take in takes):
        return ()
    whole = [f"{action}_{take}" for action in HUMAN36M_ACTIONS for take in _TAKES]
    return tuple(take for take in whole if take not in takes)


# --- lifting and comparing --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Judged:
    """One sequence seen by one camera, lifted and measured."""

    sequence: MotionSequence
    camera: Camera
    view: Pose2D
    lifted: Lifted
    tally: PoseTally


def _judged(source: Path, views: _Views, lifter: LifterWeights, how: LifterProtocol) -> Iterator[_Judged]:
    cameras: dict[str, dict[str, Camera]] = {}
    for sequence in read_sequences(source, frozenset(how.subjects)):
        subject, action = sequence.subject, sequence.action
        if subject not in cameras:
            cameras = {subject: read_cameras(source, subject)}
        for name in views.get((subject, action), ()):
            if name not in cameras[subject]:
                raise InputError(f"{source} has views of {subject}/{action} by a camera {name!r} that it does not have")
            camera, view = cameras[subject][name], read_view(source, subject, action, name, how.detector)
            lifted = _lift(view, camera, lifter, how)
            tally = PoseTally.of(*_both_around_root(sequence, camera, lifted, how.root_rule), sequence.fps)
            yield _Judged(sequence=sequence, camera=camera, view=view, lifted=lifted, tally=tally)


def _lift(view: Pose2D, camera: Camera, lifter: LifterWeights, how: LifterProtocol) -> Lifted:
    """What the lifter says, in the camera's axes and in the size that it gives."""
    lift = lift_both_ways if how.flip else lift_everything
    return lift(view, camera, weights=lifter, height_m=lifter.meta.stature_m, device=how.device)


def _both_around_root(
    sequence: MotionSequence, camera: Camera, lifted: Lifted, rule: RootRule
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Prediction and truth (T, 17, 3) in the camera's axes; NaN where the truth is not known."""
    columns = [sequence.skeleton.index(name) for name in HUMAN36M_17.joint_names]
    truth_m = _in_camera(sequence, camera)[:, columns]
    return around_root(convert(lifted.body, HUMAN36M_17).xyz_m, truth_m, rule=rule)


def _in_camera(sequence: MotionSequence, camera: Camera) -> NDArray[np.float64]:
    """The true joints (T, J, 3) in a camera's frame; NaN where confidence is 0."""
    known_m = np.where(sequence.confidence[..., None] > 0, sequence.xyz_m.astype(np.float64), np.nan)
    return np.asarray(known_m @ camera.cam_from_world[:3, :3].T + camera.cam_from_world[:3, 3])


# --- results for the viewer -------------------------------------------------------------------------------------------


@contextmanager
def _written(output: Path | None, how: LifterProtocol, lifter: LifterWeights) -> Iterator[Callable[[_Judged], None]]:
    """A function that writes what was judged; the file gets its name when all is in it, and is gone after an error."""
    if output is None:
        yield lambda judged: None
        return
    part = output.with_name(output.name + ".part")
    try:
        part.unlink(missing_ok=True)  # of another run, perhaps of another lifter
        with MotionWriter(output) as writer:
            yield lambda judged: _write(writer, how, lifter, judged)
    finally:
        part.unlink(missing_ok=True)


def _write(writer: MotionWriter, how: LifterProtocol, lifter: LifterWeights, judged: _Judged) -> None:
    sequence, camera, view = judged.sequence, judged.camera, judged.view
    subject, action = sequence.subject, sequence.action
    if not writer.has(subject, action):
        writer.add(sequence)
    writer.add_camera(subject, camera)
    writer.add_view(subject, action, camera.name, how.detector, view.xy_px, view.confidence, view.skeleton)
    xyz_m, confidence = _in_world(sequence, camera, judged.lifted)
    skeleton, sha256 = judged.lifted.body.skeleton, lifter.sha256
    writer.add_prediction(
        subject, action, how.model, camera.name, xyz_m, confidence, skeleton=skeleton, weights_sha256=sha256
    )


def _in_world(
    sequence: MotionSequence, camera: Camera, lifted: Lifted
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The lifted joints (T, J, 3) around the lifter's own root, else the true one; NaN where that is not known."""
    true_root_m = _in_camera(sequence, camera)[:, sequence.skeleton.root]
    root_m = true_root_m if lifted.root_m is None else lifted.root_m
    pose = camera.world_from_cam
    xyz_m = (lifted.body.xyz_m + root_m[:, None]) @ pose[:3, :3].T + pose[:3, 3]
    return xyz_m, np.where(np.isfinite(xyz_m).all(axis=-1), lifted.body.confidence, 0.0)
