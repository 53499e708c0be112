"""IN OUT TIMES: write a video that plays another one over and over, every second time backwards."""

from __future__ import annotations

import sys


def main() -> None:
    """Decode once, keep the pictures as they are stored, encode them again."""
    import av

    source, target, times = sys.argv[1], sys.argv[2], int(sys.argv[3])
    with av.open(source) as container:
        stream = container.streams.video[0]
        rate = stream.average_rate or sys.exit(f"{source} does not say how many frames a second it has")
        pictures = list(container.decode(stream))
    with av.open(target, "w") as sink:
        out = sink.add_stream("libx264", rate=rate, options={"crf": "20", "preset": "veryfast"})
        out.width, out.height, out.pix_fmt = pictures[0].width, pictures[0].height, "yuv420p"
        for n in range(times * len(pictures)):
            turn, index = divmod(n, len(pictures))
            picture = pictures[index if turn % 2 == 0 else -1 - index]
            picture.pts, picture.time_base, picture.pict_type = n, 1 / rate, av.video.frame.PictureType.NONE
            sink.mux(out.encode(picture))
        sink.mux(out.encode())


if __name__ == "__main__":
    main()
