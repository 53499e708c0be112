"""Between which joints a bone is drawn: one answer for the page, the report, pictures and the window."""

from __future__ import annotations

from mocap3d.base.skeleton import SEVERAL_ROOTS, Skeleton

__all__ = ["bones_of"]


def bones_of(skeleton: Skeleton) -> tuple[tuple[int, int], ...]:
    """Find the bones, (parent, joint).

    Points that all hang from the first one are markers of a file that tells no tree: nothing joins them. Nor is there
    a bone from the root that only holds several people together.
    """
    if len(skeleton) > 2 and all(parent == skeleton.root for parent, _ in skeleton.edges):
        return ()
    several = skeleton.joint_names[0] == SEVERAL_ROOTS
    return tuple((parent, joint) for parent, joint in skeleton.edges if not (several and parent == 0))
