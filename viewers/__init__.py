"""The 3D viewers. Imported as ``mocap3d.viewers`` only; they use the public names of mocap3d."""
