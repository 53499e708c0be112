"""VMC, the protocol by which avatars follow a body live: OSC messages over UDP, usually to port 39539.

Every frame is one OSC bundle: ``/VMC/Ext/OK 1``, ``/VMC/Ext/T seconds``, ``/VMC/Ext/Root/Pos`` and, for each bone,
``/VMC/Ext/Bone/Pos name px py pz qx qy qz qw``: place in the parent and turn since the T-pose. Bones have the names of
Unity's HumanBodyBones. Unity's axes are left-handed, +Y up, facing +Z as we do: x is negated, so that p = (-x, y, z)
and q = (x, -y, -z, w). UDP promises nothing: packets may be lost, and nobody is told.

Needs the extra mocap3d[live].

Reference:
    VMC protocol, performer to marionette: https://protocol.vmc.info/marionette-spec
"""

from __future__ import annotations

import re
import socket
import time
from importlib.util import find_spec
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mocap3d.base.checks import as_floats
from mocap3d.base.errors import InputError, MissingExtraError
from mocap3d.base.humanoid import HUMANOID_RIG
from mocap3d.base.motion import Motion
from mocap3d.base.rig import Rig
from mocap3d.base.skeletons import HUMANOID_22
from mocap3d.output.presets.humanoid import as_humanoid

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["DEFAULT_ADDRESS", "VmcSender", "stream_motion"]

DEFAULT_ADDRESS: Final = "127.0.0.1:39539"

_BONES: Final = tuple(name[0].upper() + name[1:] for name in HUMANOID_22.joint_names)
_PLACE: Final = np.array([-1.0, 1.0, 1.0])
_TURN: Final = np.array([1.0, -1.0, -1.0, 1.0])  # of x, y, z, w
_STILL: Final = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0)


class VmcSender:
    """Sends a body to whoever listens, frame by frame.

    ```
    with VmcSender("127.0.0.1:39539") as sender:
        sender.send(local_wxyz, root_m, time_s=0.0)
    ```

    Args:
        address: HOST:PORT.
        rig: the humanoid whose bones move; its lengths are sent along.

    Raises:
        InputError: the address has no such form or cannot be found, or the rig is no mocap3d humanoid.
        MissingExtraError: python-osc is not installed.
    """

    def __init__(self, address: str = DEFAULT_ADDRESS, *, rig: Rig = HUMANOID_RIG) -> None:
        if find_spec("pythonosc") is None:
            raise MissingExtraError("python-osc", "live")
        if rig.skeleton != HUMANOID_22 or not np.allclose(rig.rest_wxyz, [1.0, 0.0, 0.0, 0.0]):
            raise InputError(f"VMC needs the mocap3d humanoid in T-pose, got the rig {rig.skeleton.name!r}")
        self._offsets_m = rig.offsets_m
        self._socket, self._target = _opened(address)

    def __enter__(self) -> Self:
        """Use it in a ``with`` block."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Close the socket."""
        self.close()

    def close(self) -> None:
        """Close the socket; nothing can be sent any more."""
        self._socket.close()

    def send(self, local_wxyz: ArrayLike, root_m: ArrayLike, *, time_s: float) -> None:
        """Send one frame.

        Args:
            local_wxyz: (22, 4) parent_from_joint, as `Motion` has them.
            root_m: (3,) hips in the world.
            time_s: of the frame, on the sender's clock.

        Raises:
            InputError: wrong shapes, NaN, or the network refuses.
        """
        wxyz = as_floats("local_wxyz", local_wxyz, (len(_BONES), 4))
        root = as_floats("root_m", root_m, (3,))
        if np.isnan(wxyz).any() or np.isnan(root).any():
            raise InputError("a frame to send holds NaN")
        places = np.concatenate([root[None], self._offsets_m[1:]]) * _PLACE
        turns = np.roll(wxyz, -1, axis=-1) * _TURN
        try:
            self._socket.sendto(_bundle(places, turns, time_s), self._target)
        except ConnectionRefusedError:
            pass  # nobody listens on this machine, yet
        except OSError as error:
            raise InputError(
                f"cannot send to {self._target[0]}:{self._target[1]}: {error.strerror or error}"
            ) from error


def stream_motion(
    motion: Motion,
    address: str = DEFAULT_ADDRESS,
    *,
    loop: bool = False,
    clock: Callable[[], float] = time.perf_counter,
    sleep: Callable[[float], None] = time.sleep,
) -> int:
    """Play a motion to a listener in real time; frames that are too late are left out, so that the pace holds.

    Args:
        motion: of the mocap3d humanoid, or read back from a file of it.
        address: HOST:PORT.
        loop: begin again at the end, until Ctrl-C.
        clock: seconds.
        sleep: waits so many.

    Returns:
        How many frames were sent.

    Raises:
        InputError: as `VmcSender`.
    """
    motion = as_humanoid(motion)
    sent, round_start, fps = 0, clock(), float(motion.fps)
    begin = round_start
    with VmcSender(address, rig=motion.rig) as sender:
        while True:
            frame = 0
            while frame < len(motion):
                due = round_start + frame / fps
                if (wait := due - clock()) > 0:
                    sleep(wait)
                sender.send(motion.local_wxyz[frame], motion.root_m[frame], time_s=due - begin)
                sent += 1
                frame = max(frame + 1, min(int((clock() - round_start) * fps), len(motion) - 1))
            if not loop:
                return sent
            round_start += motion.duration_s


def _bundle(places: NDArray[np.float64], turns: NDArray[np.float64], time_s: float) -> bytes:
    """Spell one frame: places (22, 3) and turns (22, 4) xyzw, in Unity's axes."""
    from pythonosc.osc_bundle_builder import IMMEDIATELY, OscBundleBuilder
    from pythonosc.osc_message_builder import OscMessageBuilder

    bundle = OscBundleBuilder(IMMEDIATELY)

    def add(address: str, kinds: str, *values: str | float) -> None:
        message = OscMessageBuilder(address=address)
        for kind, value in zip(kinds, values, strict=True):
            message.add_arg(value, kind)
        bundle.add_content(message.build())

    add("/VMC/Ext/OK", "i", 1)
    add("/VMC/Ext/T", "f", float(time_s))
    add("/VMC/Ext/Root/Pos", "s" + "f" * 7, "root", *_STILL)
    for bone, place, turn in zip(_BONES, places.tolist(), turns.tolist(), strict=True):
        add("/VMC/Ext/Bone/Pos", "s" + "f" * 7, bone, *place, *turn)
    return bytes(bundle.build().dgram)


def _opened(address: str) -> tuple[socket.socket, tuple[str, int]]:
    """A UDP socket and where it sends to."""
    found = re.fullmatch(r"\[?(?P<host>[^\[\]]+?)\]?:(?P<port>\d+)", address)
    if found is None or not 0 < int(found["port"]) < 65536:
        raise InputError(f"an address is HOST:PORT, such as {DEFAULT_ADDRESS}; got {address!r}")
    try:
        family, kind, _, _, target = socket.getaddrinfo(found["host"], int(found["port"]), type=socket.SOCK_DGRAM)[0]
    except OSError as error:
        raise InputError(f"cannot find {address}: {error.strerror or error}") from error
    return socket.socket(family, kind), (str(target[0]), int(target[1]))
