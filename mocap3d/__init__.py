"""mocap3d: video in, animation out."""
