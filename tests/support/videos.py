"""Small videos made in a test, mostly from pictures of the demo clip, and a call of the command line."""

from __future__ import annotations

import sys
from fractions import Fraction

import av
import numpy as np

from mocap3d import examples
from mocap3d.cli import main

WALK = examples.path("walk.mp4")
LENS = examples.path("walk.toml")


def write_video(path, pictures, fps=30):
    """Encode RGB pictures losslessly enough."""
    with av.open(str(path), "w") as sink:
        stream = sink.add_stream("libx264", rate=Fraction(fps), options={"crf": "12"})
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = "yuv444p"  # takes odd sizes
        for picture in pictures:
            sink.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")))
        sink.mux(stream.encode())
    return path


def frames_of_the_walk(start, stop):
    """Decode a few pictures of the demo clip."""
    with av.open(str(WALK)) as source:
        return [frame.to_ndarray(format="rgb24") for n, frame in enumerate(source.decode(video=0)) if start <= n < stop]


def run(capsys, *arguments):
    """Call the command line; return exit code, standard output, standard error."""
    old, sys.argv = sys.argv, ["mocap3d", *map(str, arguments)]
    try:
        main()
        code = 0
    except SystemExit as end:
        code = int(end.code or 0)
    finally:
        sys.argv = old
    printed = capsys.readouterr()
    return code, printed.out, printed.err
