"""The sub-command that shows results, captures, motions and cameras in the browser."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

__all__ = ["view"]


def view(
    files: Annotated[
        list[Path],
        typer.Argument(
            help="Results of `mocap3d evaluate` (several: their models side by side), folders of --keep-stages, "
            "motions in any format, camera files."
        ),
    ],
    video: Annotated[
        list[Path] | None, typer.Option(help="Of a capture whose video has moved: where it is now, one per camera.")
    ] = None,
    port: Annotated[int, typer.Option(help="On this computer; 0 is any that is free.", min=0, max=65535)] = 0,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page.")] = True,
    desktop: Annotated[
        bool, typer.Option("--desktop", help="In a window instead (needs the extra mocap3d[desktop]).")
    ] = False,
) -> None:
    """Look at results, captures, motions and cameras in the browser."""
    if desktop:
        from mocap3d.viewers.desktop import show

        show(files, tell=print)
        return
    from mocap3d.viewers.server import serve
    from mocap3d.viewers.show import open_shows

    shows = open_shows(files, videos=video or ())
    try:
        serve(shows, port=port, open_browser=browser, tell=_tell)
    except KeyboardInterrupt:
        print("closed", file=sys.stderr)


def _tell(address: str) -> None:
    print(f"open {address} in a browser; Ctrl-C ends", flush=True)
