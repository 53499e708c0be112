"""``python -m mocap3d`` is the command line."""

from mocap3d.cli import main

main()
