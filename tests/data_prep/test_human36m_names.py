from __future__ import annotations

import json

import numpy as np
import pytest
from mocap3d.data_prep.human36m_cameras import CAMERA_IDS, SUBJECTS, human36m_cameras, world_m_from_h36m_mm
from mocap3d.data_prep.human36m_names import ACTIONS, action_of, official_name, takes

from mocap3d.base.errors import InputError


def test_every_take_has_one_official_name():
    """Catches two takes under one name, and a name that is read as another take than it was made for."""
    assert len(takes()) == 30
    assert len(ACTIONS) == 15
    for subject in SUBJECTS:
        names = [official_name(subject, take) for take in takes()]
        assert len(set(names)) == 30
        assert [action_of(subject, name) for name in names] == list(takes())


@pytest.mark.parametrize(
    ("subject", "name", "take"),
    [
        ("S1", "Walking 1", "walking_1"),
        ("S1", "Walking", "walking_2"),
        ("S1", "TakingPhoto 1", "takingphoto_1"),
        ("S5", "Photo", "takingphoto_1"),
        ("S5", "Photo 2", "takingphoto_2"),
        ("S1", "WalkingDog", "walkingdog_2"),
        ("S9", "WalkDog", "walkingdog_2"),
        ("S11", "Phoning 3", "phoning_1"),
        ("S11", "Phoning 2", "phoning_2"),
        ("S5", "Discussion 3", "discussion_2"),
        ("S9", "SittingDown", "sittingdown_1"),
        ("S9", "SittingDown 1", "sittingdown_2"),
        ("S6", "Waiting 3", "waiting_1"),
        ("S1", "Eating 1", "eating_1"),  # one list says "Eating 2", another "Eating 1": the take with a number
        ("S9", "Walking_1", "walking_1"),
        ("S1", "_ALL 1", None),
        ("S1", "Walking 1.mp4", None),
        ("S1", "Jumping 1", None),
        ("S5", "Directions 3", None),
        ("S5", "Directions", None),
    ],
)
def test_the_spellings_of_the_subjects(subject, name, take):
    """Catches takes exchanged: the one without a number is usually the second, but not always."""
    assert action_of(subject, name) == take


def test_cameras_are_those_of_the_published_table(shared_data):
    """Catches a digit, a sign, the inverse, a handedness lost on the way to our axes, and sizes exchanged."""
    table = json.loads((shared_data / "h36m_camera_parameters.json").read_text())
    room_mm = np.array([[0, 0, 0], [1000, 0, 0], [0, 1000, 0], [0, 0, 1000.0]])
    np.testing.assert_allclose(world_m_from_h36m_mm(room_mm), [[0, 0, 0], [1, 0, 0], [0, 0, -1], [0, 1, 0]], atol=1e-12)
    for subject in SUBJECTS:
        for name, camera in human36m_cameras(subject).items():
            lens, pose = table["intrinsics"][name], table["extrinsics"][subject][name]
            np.testing.assert_allclose(camera.K, lens["calibration_matrix"], atol=1e-5)
            np.testing.assert_allclose(camera.distortion, lens["distortion"], atol=1e-8)
            expected_m = (room_mm @ np.array(pose["R"]).T + np.ravel(pose["t"])) / 1000
            world_m = world_m_from_h36m_mm(room_mm)
            found = world_m @ camera.cam_from_world[:3, :3].T + camera.cam_from_world[:3, 3]
            np.testing.assert_allclose(found, expected_m, atol=1e-8)
            assert camera.size_wh_px == (1000, 1002 if name in ("54138969", "60457274") else 1000)
    assert CAMERA_IDS == ("54138969", "55011271", "58860488", "60457274")


def test_cameras_of_nobody_are_refused():
    """Catches a KeyError for a subject whose motion was never published."""
    with pytest.raises(InputError, match="S1 S5 S6"):
        human36m_cameras("S2")
