"""A tree of named joints: what every joint array is indexed by."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from mocap3d.base.errors import InputError

__all__ = ["ROOT", "SEVERAL_ROOTS", "Skeleton"]

ROOT = -1
"""The parent index of a root joint."""

SEVERAL_ROOTS = "(several roots)"
"""The name of the synthetic joint 0 under which several roots hang; writers leave it out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Skeleton:
    """A tree of named joints in the order of the data set that it comes from.

    Most data sets do not list parents first (MPII starts at an ankle), and their order is the order of the files, so
    it is kept; a ``Rig`` asks for parents first.

    Attributes:
        name: how messages and files call it.
        joint_names: J unique names; index j is axis J of every joint array.
        parents: J parent indices, ``ROOT`` for the one root; the parents form a tree.
        mirror: J indices; ``mirror[j]`` is the left/right partner (j itself on the spine).
    """

    name: str
    joint_names: tuple[str, ...]
    parents: tuple[int, ...]
    mirror: tuple[int, ...]

    def __post_init__(self) -> None:
        """Check names, tree and mirror."""
        count = len(self.joint_names)
        for field in ("joint_names", "parents", "mirror"):
            object.__setattr__(self, field, tuple(getattr(self, field)))
        if count == 0 or len(self.parents) != count or len(self.mirror) != count:
            raise InputError(
                f"skeleton {self.name!r} needs as many parents and mirrors as joints (at least one), "
                f"got {count} joints, {len(self.parents)} parents, {len(self.mirror)} mirrors"
            )
        twice = [name for name, times in Counter(self.joint_names).items() if times > 1]
        if twice:
            raise InputError(f"joint names of skeleton {self.name!r} must be unique; twice: {', '.join(twice)}")
        self._check_tree()
        for j, partner in enumerate(self.mirror):
            if not 0 <= partner < count or self.mirror[partner] != j:
                raise InputError(f"mirror of joint {j} ({self.joint_names[j]!r}) is not mutual")

    def __len__(self) -> int:
        """Return the number of joints."""
        return len(self.joint_names)

    @property
    def root(self) -> int:
        """The index of the joint without a parent."""
        return self.parents.index(ROOT)

    @property
    def edges(self) -> tuple[tuple[int, int], ...]:
        """(parent, joint) of every bone."""
        return tuple((parent, j) for j, parent in enumerate(self.parents) if parent != ROOT)

    @property
    def is_parents_first(self) -> bool:
        """Whether every joint comes after its parent, as forward kinematics wants it."""
        return all(parent < j for j, parent in enumerate(self.parents))

    def index(self, joint_name: str) -> int:
        """Find a joint by name.

        Raises:
            InputError: there is no such joint; the message lists those there are.
        """
        try:
            return self.joint_names.index(joint_name)
        except ValueError:
            raise InputError(
                f"skeleton {self.name!r} has no joint {joint_name!r}; it has: {', '.join(self.joint_names)}"
            ) from None

    def _check_tree(self) -> None:
        count = len(self.parents)
        if self.parents.count(ROOT) != 1:
            raise InputError(
                f"skeleton {self.name!r} must have one root (parent {ROOT}), got {self.parents.count(ROOT)}"
            )
        for j, parent in enumerate(self.parents):
            if parent != ROOT and not 0 <= parent < count:
                raise InputError(f"parent of joint {j} ({self.joint_names[j]!r}) is {parent}, outside 0..{count - 1}")
        rooted = {self.root}  # joints known to hang under the root: a cycle never reaches it
        for start in range(count):
            path: list[int] = []
            j = start
            while j not in rooted:
                if j in path:
                    raise InputError(f"skeleton {self.name!r} has a cycle through {self.joint_names[j]!r}")
                path.append(j)
                j = self.parents[j]
            rooted.update(path)
