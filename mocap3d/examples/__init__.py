"""The clip that comes with mocap3d: a real video, its camera, and a card that says where both come from."""

from __future__ import annotations

from pathlib import Path

__all__ = ["path"]


def path(name: str = "walk.mp4") -> Path:
    """Where an example file lies on this machine.

    Args:
        name: ``"walk.mp4"`` (the clip), ``"walk.toml"`` (its camera) or ``"walk.md"`` (its card).

    Raises:
        InputError: there is no example of that name.
    """
    folder = Path(__file__).parent
    names = sorted(entry.name for entry in folder.iterdir() if entry.suffix in {".mp4", ".toml", ".md"})
    if name not in names:
        from mocap3d.base.errors import InputError

        raise InputError(f"no example is called {name!r}; there are {', '.join(names)}")
    return folder / name
