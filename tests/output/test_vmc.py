from __future__ import annotations

import socket
import struct
import threading
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from mocap3d.base.errors import InputError
from mocap3d.base.humanoid import HUMANOID_RIG
from mocap3d.base.kinematics import forward
from mocap3d.base.motion import Motion
from mocap3d.output.vmc import VmcSender, stream_motion


def text_at(data, at):
    """An OSC string: ended by a zero, filled up to four bytes."""
    end = data.index(b"\0", at)
    return data[at:end].decode(), at + (end - at) // 4 * 4 + 4


def messages_of(packet):
    """An OSC bundle as OSC 1.0 describes it: a tag, a time, and (size, message) pairs."""
    assert packet[:8] == b"#bundle\0"
    assert struct.unpack(">Q", packet[8:16]) == (1,)  # immediately
    at, found = 16, []
    while at < len(packet):
        (size,) = struct.unpack(">i", packet[at : at + 4])
        message, at = packet[at + 4 : at + 4 + size], at + 4 + size
        address, inside = text_at(message, 0)
        kinds, inside = text_at(message, inside)
        values = []
        for kind in kinds[1:]:
            if kind == "s":
                value, inside = text_at(message, inside)
            else:
                (value,) = struct.unpack(">" + kind, message[inside : inside + 4])
                inside += 4
            values.append(value)
        assert inside == size
        found.append((address, values))
    return found


class Marionette:
    """Receives on loopback what a performer sends."""

    def __init__(self):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.settimeout(5)
        self.address = f"127.0.0.1:{self.socket.getsockname()[1]}"

    def frame(self):
        """The messages of the next packet."""
        return messages_of(self.socket.recv(65536))


@pytest.fixture
def marionette():
    found = Marionette()
    yield found
    found.socket.close()


def dancing(frames=20):
    """A humanoid whose joints all turn."""
    rng = np.random.default_rng(0)
    quat = Rotation.from_rotvec(rng.normal(size=(frames * 22, 3))).as_quat()
    return Motion(
        rig=HUMANOID_RIG,
        fps=Fraction(60),
        local_wxyz=np.roll(quat, 1, axis=-1).reshape(frames, 22, 4),
        root_m=rng.normal(size=(frames, 3)),
    )


def in_unity(bones):
    """World places in Unity's left-handed axes, from the names of HumanBodyBones and their parents there."""
    side = [(f"{s}{b}", f"{s}{p}" if p else c) for s in ("Left", "Right") for b, p, c in (
        ("UpperLeg", "", "Hips"), ("LowerLeg", "UpperLeg", ""), ("Foot", "LowerLeg", ""), ("Toes", "Foot", ""),
        ("Shoulder", "", "UpperChest"), ("UpperArm", "Shoulder", ""), ("LowerArm", "UpperArm", ""),
        ("Hand", "LowerArm", ""),
    )]  # fmt: skip
    middle = [("Spine", "Hips"), ("Chest", "Spine"), ("UpperChest", "Chest"), ("Neck", "UpperChest"), ("Head", "Neck")]
    placed = {"Hips": bones["Hips"]}
    for name, parent in middle + side:
        (p, q), (local_p, local_q) = placed[parent], bones[name]
        placed[name] = p + q.apply(local_p), q * local_q
    assert placed.keys() == bones.keys()
    return placed


def test_a_receiver_sees_the_body_where_it_is(marionette):
    """Catches a mirrored body, xyzw taken for wxyz, places of the world in place of the parent's, wrong bone names."""
    motion = dancing()
    with VmcSender(marionette.address) as sender:
        sender.send(motion.local_wxyz[3], motion.root_m[3], time_s=1.5)
    messages = marionette.frame()
    assert messages[0] == ("/VMC/Ext/OK", [1])
    assert messages[1] == ("/VMC/Ext/T", [1.5])
    assert messages[2] == ("/VMC/Ext/Root/Pos", ["root", 0, 0, 0, 0, 0, 0, 1])
    assert {address for address, _ in messages[3:]} == {"/VMC/Ext/Bone/Pos"}
    # The same arithmetic holds in left-handed axes as long as everything is in them.
    bones = {v[0]: (np.array(v[1:4]), Rotation.from_quat(v[4:])) for _, v in messages[3:]}
    assert len(bones) == 22
    world_m, _ = forward(motion)
    for name, (place, _) in in_unity(bones).items():
        joint = HUMANOID_RIG.skeleton.index(name[0].lower() + name[1:])
        np.testing.assert_allclose(place * [-1, 1, 1], world_m[3, joint], atol=1e-5)


def test_a_stream_keeps_the_pace(marionette):
    """Catches a stream that drifts by what sending takes, or that never catches up after a hiccup."""
    now, slept = [10.0], []

    def sleep(seconds):
        slept.append(seconds)
        now[0] += seconds + (0.1 if len(slept) == 5 else 0.002)  # once the machine is busy for six frames

    sent = stream_motion(dancing(), marionette.address, clock=lambda: now[0], sleep=sleep)
    times = [marionette.frame()[1][1][0] for _ in range(sent)]
    assert 13 <= sent <= 15
    np.testing.assert_allclose(np.array(times) * 60, np.round(np.array(times) * 60), atol=1e-4)
    assert times[-1] == pytest.approx(19 / 60, abs=1e-5)
    assert now[0] == pytest.approx(10 + 19 / 60, abs=0.004)


def test_a_loop_goes_on_until_it_is_stopped(marionette):
    """Catches a loop that stops after a round, or whose clock starts again."""
    now, rounds = [0.0], 3

    def sleep(seconds):
        now[0] += seconds
        if now[0] > rounds * 20 / 60:
            raise KeyboardInterrupt

    received = []
    listener = threading.Thread(target=lambda: received.extend(marionette.frame()[1][1][0] for _ in range(60)))
    listener.start()
    with pytest.raises(KeyboardInterrupt):
        stream_motion(dancing(), marionette.address, loop=True, clock=lambda: now[0], sleep=sleep)
    listener.join()
    np.testing.assert_allclose(received, np.arange(60) / 60, atol=1e-4)


@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:70000", ":39539", "x:y"])
def test_an_address_that_is_none_is_refused(address):
    """Catches an IndexError, or a packet sent into nowhere."""
    with pytest.raises(InputError, match="HOST:PORT"):
        VmcSender(address)


def test_other_bodies_are_refused():
    """Catches an avatar that folds up because its bones mean other turns."""
    turned = replace(HUMANOID_RIG, rest_wxyz=np.tile([0.0, 1.0, 0.0, 0.0], (22, 1)))
    with pytest.raises(InputError, match="humanoid in T-pose"):
        VmcSender(rig=turned)


def test_nan_is_not_sent(marionette):
    """Catches an avatar that vanishes."""
    motion = dancing()
    with VmcSender(marionette.address) as sender, pytest.raises(InputError, match="NaN"):
        sender.send(motion.local_wxyz[0], [0, np.nan, 0], time_s=0)


def test_nobody_need_listen():
    """Catches a performer that stops because the avatar's program is not open yet."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    motion = dancing()
    with VmcSender(f"127.0.0.1:{port}") as sender:
        for t in range(3):
            sender.send(motion.local_wxyz[t], motion.root_m[t], time_s=t / 60)
