"""The sub-command that tells what a motion-data file holds."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

__all__ = ["data_check"]


def data_check(
    file: Annotated[Path, typer.Argument(help="HDF5 file of `mocap3d data prepare` or `mocap3d evaluate`.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Tell what a motion-data file holds: subjects, actions, rates, bone lengths, gaps, views, predictions."""
    from mocap3d.data_prep.motion_check import check_motion

    facts = check_motion(file)
    print(json.dumps(facts, indent=2) if as_json else "\n".join(_lines(facts)))


def _lines(facts: Mapping[str, Any]) -> Iterator[str]:
    yield facts["file"]
    yield ""
    yield f"{'subject':<12}{'sequences':>10}{'frames':>10}{'minutes':>9}  cameras"
    for name, subject in facts["subjects"].items():
        minutes, cameras = subject["seconds"] / 60, " ".join(subject["cameras"]) or "-"
        yield f"{name:<12}{subject['sequences']:>10}{subject['frames']:>10}{minutes:>9.1f}  {cameras}"
    yield ""
    for key, said in (
        ("actions", "actions"),
        ("fps", "frames/s"),
        ("skeletons", "skeletons"),
        ("licences", "licences"),
    ):
        yield f"{said:<12}{'; '.join(f'{name} ({count})' for name, count in facts[key].items())}"
    yield f"{'missing':<12}{facts['missing']['share']:.2%} of joints" + "".join(
        f"; {name} {share:.1%}" for name, share in facts["missing"]["joints"].items()
    )
    yield ""
    yield f"{'bone':<34}{'mean mm':>9}{'spread':>9}{'between subjects':>18}"
    for name, bone in facts["bones"].items():
        yield f"{name:<34}{bone['mean_mm']:>9.1f}{bone['spread_mm']:>9.2f}{bone['between_subjects_mm']:>18.1f}"
    yield from _views(facts["views"])
    yield from _predictions(facts["predictions"])


def _views(views: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    if views:
        yield ""
        yield f"{'view by':<22}{'sequences':>10}{'cameras':>9}{'joints seen':>13}{'frames inside':>15}  skeleton"
    for name, view in views.items():
        inside = "-" if view["inside"] is None else f"{view['inside']:.1%}"
        yield (
            f"{name:<22}{view['sequences']:>10}{len(view['cameras']):>9}{view['seen']:>13.1%}{inside:>15}"
            f"  {view['skeleton']}"
        )


def _predictions(predictions: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    if predictions:
        yield ""
        yield f"{'prediction by':<22}{'sequences':>10}{'cameras':>9}  weights"
    for name, model in predictions.items():
        digests = " ".join(digest[:12] for digest in model["weights_sha256"])
        yield f"{name:<22}{model['sequences']:>10}{len(model['cameras']):>9}  {digests}"
