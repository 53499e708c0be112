"""A lifter judged on a motion-data file: 2D views in, a table of errors by action out.

For every sequence and camera the 2D joints of one detector are lifted and compared with the true joints in the camera's
axes, both around their roots, over the 17 joints of Human3.6M. docs/evaluation.md says what the numbers mean.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mocap3d.base.camera import Camera
from mocap3d.base.conversions import convert
from mocap3d.base.errors import InputError, MissingExtraError
from mocap3d.base.pose import Pose2D
from mocap3d.base.skeletons import HUMAN36M_17
from mocap3d.data_prep.motion_read import read_cameras, read_sequences
from mocap3d.data_prep.motion_sequence import MotionSequence
from mocap3d.lift.lifter_weights import LifterWeights, load_weights
from mocap3d.lift.mirror import lift_both_ways
from mocap3d.lift.monocular import Lifted, lift_everything
from mocap3d.lift.videopose3d import load_videopose3d
from mocap3d.protocol.names import HUMAN36M_ACTIONS, absent_takes, in_order, without_take
from mocap3d.protocol.results import results_file
from mocap3d.protocol.views import Views, joints_in_camera, plan_views, root_in_camera
from mocap3d.quality.action_table import ActionTable
from mocap3d.quality.pose3d import ROOT_RULES, RootRule, around_root
from mocap3d.quality.root import RootScores, RootTally
from mocap3d.quality.tally import PoseTally

__all__ = ["LifterEvaluation", "LifterProtocol", "Progress", "evaluate_lifter"]

Progress = Callable[[str, int, int | None], None]
"""Called with the step's name, how much is done, and of how much."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LifterProtocol:
    """How a lifter is judged.

    Attributes:
        subjects: who it is judged on; Human3.6M's protocols say S9 and S11.
        detector: whose 2D joints go in; "true" are projections of the true joints.
        root_rule: "subtract" takes each root from its own body; "videopose3d" takes the prediction as it is.
        flip: lift the mirror image too and take the mean.
        height_m: stature of the people, which the lifter is told; None lets it speak of people of the stature that it
            learned from, as weights trained on the same data set should.
        device: "cpu", "cuda" or "cuda:1" and so on.
        model: what the result is called in files.
    """

    subjects: tuple[str, ...] = ("S9", "S11")
    detector: str = "true"
    root_rule: RootRule = "subtract"
    flip: bool = False
    height_m: float | None = None
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
        root: errors of the root's trajectory; None for a lifter that does not say where the root is.
    """

    table: ActionTable
    protocol: LifterProtocol
    data: Path
    weights_sha256: str
    present: dict[str, tuple[str, ...]]
    absent: dict[str, tuple[str, ...]]
    skipped: tuple[str, ...]
    root: RootScores | None

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
            "root": None if self.root is None else asdict(self.root),
            "present": {subject: list(takes) for subject, takes in self.present.items()},
            "absent": {subject: list(takes) for subject, takes in self.absent.items()},
            "skipped": list(self.skipped),
        }

    def _remarks(self) -> Iterator[str]:
        how, flipped = self.protocol, " and its mirror image" if self.protocol.flip else ""
        yield f"{how.model}, fed by {how.detector!r}{flipped}; 17 joints, the root counted; root rule {how.root_rule!r}"
        if how.height_m is not None:
            yield f"the lifter was told a stature of {how.height_m:g} m"
        yield "averages over actions are unweighted: each action counts once"
        if any(self.absent.values()) or set(self.table.tallies) == set(HUMAN36M_ACTIONS):
            yield (
                "comparable with published tables only where the data are the official poses of all sequences; people "
                "from exponential-map text stand where a rule has put them (proxy protocol)"
            )
        if self.root is not None:
            yield (
                f"root: {self.root.mrpe_mm:.0f} mm from its true place on average (MRPE), its distance from the camera "
                f"off by {self.root.distance_percent:.1f} %; within the stated standard deviation in "
                f"{self.root.within_std_percent:.0f} % of the frames (68 % is honest)"
            )
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
        weights: a lifter, or its file: ours, or a checkpoint of VideoPose3D that ends in ``.bin`` (symmetric, true to
            its joints; load others with `load_videopose3d`). The shipped one when None.
        protocol: how; the field's own when None.
        output: HDF5 to write for the viewer: sequences, cameras, views, and the predictions in the world, where a
            lifter that says nothing of the root's place gets the true root.
        progress: told how far the work is.

    Raises:
        InputError: subjects, cameras or views are missing, or not what the weights need, or there is no such device;
            the message says what to do.
        FileFormatError: not a motion-data file, or not the weights of a lifter.
        MissingExtraError: a device other than "cpu" without torch.
    """
    how, source, target = protocol or LifterProtocol(), Path(data), None if output is None else Path(output)
    if how.device != "cpu":
        _check_device(how.device)
    if target is not None and target.exists() and source.exists() and target.samefile(source):
        raise InputError(f"the results would overwrite the data in {source}")
    lifter = weights if isinstance(weights, LifterWeights) else _load(weights)
    views = plan_views(source, how.subjects, how.detector, lifter.meta.skeletons[0])
    tallies: dict[str, PoseTally] = {}
    root = RootTally()
    with results_file(target, model=how.model, detector=how.detector, sha256=lifter.sha256) as write:
        for done, judged in enumerate(_judged(views, lifter, how), start=1):
            action = without_take(judged.sequence.action)
            tallies[action] = tallies[action] + judged.tally if action in tallies else judged.tally
            root += judged.root
            write(judged.sequence, judged.camera, judged.view, judged.lifted)
            if progress is not None:
                progress("evaluate", done, len(views))
    present = {s: tuple(action for subject, action in views.cameras if subject == s) for s in how.subjects}
    return LifterEvaluation(
        table=ActionTable(tallies={action: tallies[action] for action in in_order(tallies)}),
        protocol=how,
        data=source,
        weights_sha256=lifter.sha256,
        present=present,
        absent={subject: absent_takes(takes) for subject, takes in present.items()},
        skipped=views.skipped,
        root=root.scores,
    )


def _check_device(device: str) -> None:
    try:
        from mocap3d.train.device import check_device
    except ModuleNotFoundError as error:
        if not (error.name or "").startswith("torch"):
            raise  # an extra would not bring it
        raise MissingExtraError("torch", "torch") from None
    check_device(device)


def _load(weights: str | os.PathLike[str] | None) -> LifterWeights:
    if weights is None:
        return load_weights()
    path = Path(weights)
    return load_videopose3d(path) if path.suffix == ".bin" else load_weights(path)


# --- lifting and comparing --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Judged:
    """One sequence seen by one camera, lifted and measured."""

    sequence: MotionSequence
    camera: Camera
    view: Pose2D
    lifted: Lifted
    tally: PoseTally
    root: RootTally


def _judged(views: Views, lifter: LifterWeights, how: LifterProtocol) -> Iterator[_Judged]:
    cameras: dict[str, dict[str, Camera]] = {}
    for sequence in read_sequences(views.path, frozenset(how.subjects)):
        subject, action = sequence.subject, sequence.action
        if subject not in cameras:
            cameras = {subject: read_cameras(views.path, subject)}
        for name in views.cameras.get((subject, action), ()):
            if name not in cameras[subject]:
                raise InputError(f"{views.path} has views of {subject}/{action} by a camera {name!r}, which it lacks")
            camera = cameras[subject][name]
            view = views.read(sequence, camera)
            lifted = _lift(view, camera, lifter, how)
            tally = _compare(sequence, camera, lifted, how.root_rule)
            root = _compare_root(sequence, camera, lifted)
            yield _Judged(sequence=sequence, camera=camera, view=view, lifted=lifted, tally=tally, root=root)


def _lift(view: Pose2D, camera: Camera, lifter: LifterWeights, how: LifterProtocol) -> Lifted:
    """What the lifter says, in the camera's axes."""
    lift = lift_both_ways if how.flip else lift_everything
    height_m = lifter.meta.stature_m if how.height_m is None else how.height_m
    return lift(view, camera, weights=lifter, height_m=height_m, device=how.device)


def _compare(sequence: MotionSequence, camera: Camera, lifted: Lifted, rule: RootRule) -> PoseTally:
    """The errors over the 17 joints, around their roots, in the camera's axes."""
    found_m = convert(lifted.body, HUMAN36M_17).xyz_m
    return PoseTally.of(*around_root(found_m, joints_in_camera(sequence, camera), rule=rule), sequence.fps)


def _compare_root(sequence: MotionSequence, camera: Camera, lifted: Lifted) -> RootTally:
    if lifted.root_m is None or lifted.root_std_m is None:
        return RootTally()
    return RootTally.of(lifted.root_m, lifted.root_std_m, root_in_camera(sequence, camera))
