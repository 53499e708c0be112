"""What the 3D player of a report plays, as JSON in the page: places, feet, mannequins; nothing is asked for later."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from mocap3d.viewers.captures.downloads import MANNEQUIN, Downloads
from mocap3d.viewers.captures.people import Person, facts_of, places_of, title_of
from numpy.typing import NDArray

import mocap3d

__all__ = ["player_data"]

_MOST_FRAMES: Final = 3000  # of longer clips every second, third ... is played
_MOST_MESHES: Final = 1 << 20  # bytes, of all mannequins together


def player_data(clip: mocap3d.Clip, people: Sequence[Person]) -> dict[str, Any]:
    """Gather a manifest as that of `mocap3d.viewers.captures`, with its arrays and files beside it."""
    start, stop = clip.shots[0].start, clip.shots[-1].stop
    step = -(-(stop - start) // _MOST_FRAMES)
    arrays: dict[str, Any] = {}
    files: dict[str, str] = {}
    shown = []
    downloads = Downloads(clip.source.stem, people)
    room = _MOST_MESHES
    for n, person in enumerate(people):
        skipped = (start - person.first) % step  # its first frame that is one of the player's
        names = {}
        for name, array in places_of(person).items():
            names[name] = f"{n}.{name}"
            arrays[f"{n}.{name}"] = _inline(array[skipped::step])
        mesh = downloads.make(f"{n}.{MANNEQUIN}")[1] if room > 0 else b""
        room -= len(mesh)
        if mesh and room >= 0:
            files[f"{n}.{MANNEQUIN}"] = base64.b64encode(mesh).decode()
        facts = {
            "arrays": names,
            "first": (person.first + skipped - start) // step,
            "frames": arrays[names["world"]]["shape"][0],
            "mannequin": f"{n}.{MANNEQUIN}" if f"{n}.{MANNEQUIN}" in files else None,
            "mannequin_from_s": skipped / float(person.fps),
        }
        shown.append(facts_of(person) | facts)
    manifest = {
        "kind": "report",
        "name": title_of(clip),
        "fps": float(clip.motion.fps / step),
        "start": 0,
        "frames": -(-(stop - start) // step),
        "video": {"start": start, "step": step},
        "people": shown,
        "cameras": [],
        "arrays": {name: {"shape": array["shape"]} for name, array in arrays.items()},
        "shots": [
            {"start": (shot.start - start) // step, "stop": -(-(shot.stop - start) // step)} for shot in clip.shots
        ],
    }
    return {"manifest": manifest, "arrays": arrays, "files": files}


def _inline(array: NDArray[np.float64]) -> dict[str, Any]:
    values = np.ascontiguousarray(array, dtype="<f4")
    return {"shape": list(values.shape), "base64": base64.b64encode(values.tobytes()).decode()}
