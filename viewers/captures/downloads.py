"""Motion as a file of any format that mocap3d writes, made when it is asked for and kept nowhere."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from mocap3d.viewers.captures.people import Person

import mocap3d
from mocap3d.base.roles import HUMANOID_ROLES
from mocap3d.output import carries_mesh, extensions, has_option, preset_names

__all__ = ["MANNEQUIN", "Downloads"]

MANNEQUIN: Final = "as-captured.mannequin.glb"
"""Behind ``0.``, ``1.`` ...: the file whose body the page itself shows."""

_PLAIN: Final = "as-captured"
_SAME: Final = {".hdf5", ".usdc"}  # as .h5 and .usd
_ONE_SET_OF_NAMES: Final = {".vrma"}
_ORDER: Final = (
    ".bvh",
    ".fbx",
    ".glb",
    ".vrma",
    ".usd",
    ".usda",
    ".usdz",
    ".npz",
    ".h5",
    ".json",
    ".c3d",
    ".trc",
    ".csv",
)


class Downloads:
    """Files of some people, by names such as ``0.ue5.mannequin.fbx``: who, preset, look, format."""

    def __init__(self, stem: str, people: Sequence[Person]) -> None:
        """``stem`` is what the files shall be called after."""
        self._stem, self._people = stem, people
        self._lock = threading.Lock()  # one at a time: some formats take a lot of memory

    def offers(self) -> dict[str, Any]:
        """What can be asked for, as JSON; ``presets`` and ``mannequin`` say what each format can do."""
        points = any(person.motion is None for person in self._people)
        bodies = all(person.roles for person in self._people)  # presets and mannequins need arms and legs
        formats = [
            {
                "extension": extension,
                "presets": bodies and extension not in _ONE_SET_OF_NAMES,
                "mannequin": bodies and carries_mesh(f"x{extension}"),
            }
            for extension in _formats(points=points)
        ]
        return {"formats": formats, "presets": list(preset_names()) if bodies else [], "plain": _PLAIN}

    def make(self, name: str) -> tuple[str, bytes]:
        """Make a file: what it should be called, and its content.

        Raises:
            LookupError: there is nothing of that name.
            Mocap3dError: this motion cannot be written so.
        """
        who, preset, look, extension = _parts(name)
        person = {str(n): person for n, person in enumerate(self._people)}[who]
        if extension not in _formats(points=person.motion is None):
            raise LookupError(name)
        plain_only = not person.roles or extension in _ONE_SET_OF_NAMES
        known = (_PLAIN,) if plain_only else (_PLAIN, *preset_names())
        looks = ("bones", "mannequin") if person.roles and carries_mesh(f"x{extension}") else ("bones",)
        if preset not in known or look not in looks:
            raise LookupError(name)
        return self._called(person, preset, extension), self._written(person, preset, extension, look == "mannequin")

    def _called(self, person: Person, preset: str, extension: str) -> str:
        parts = [self._stem]
        if len(self._people) > 1:
            parts.append(person.label.replace(", ", "-").replace(" ", ""))
        return "-".join([*parts, *([] if preset == _PLAIN else [preset])]) + extension

    def _written(self, person: Person, preset: str, extension: str, mesh: bool) -> bytes:
        source = person.motion if person.motion is not None else person.pose3d
        if source is None:
            raise LookupError(person.label)
        options: dict[str, Any] = {"mesh": True} if mesh else {}
        with self._lock, tempfile.TemporaryDirectory(prefix="mocap3d-") as folder:
            path = Path(folder) / f"motion{extension}"
            if preset == _PLAIN:
                mocap3d.write(source, path, **options)
            elif person.roles is HUMANOID_ROLES:
                mocap3d.write(source, path, preset=preset, **options)
            elif person.motion is not None:  # somebody else's body
                mocap3d.retarget(person.motion, preset, source_map=person.roles).save(path, **options)
            return path.read_bytes()


def _formats(*, points: bool) -> list[str]:
    known = [extension for extension in extensions() if extension not in _SAME]
    if points:
        known = [extension for extension in known if has_option("write", f"x{extension}", "source")]
    return sorted(known, key=lambda extension: (_ORDER + (extension,)).index(extension))


def _parts(name: str) -> tuple[str, str, str, str]:
    parts = name.split(".")
    if len(parts) != 4:
        raise LookupError(name)
    return parts[0], parts[1], parts[2], f".{parts[3]}"
