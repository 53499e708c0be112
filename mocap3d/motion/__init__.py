"""Joints -> rotations on a rig."""
