"""Reflections are left out, people who look alike are not. The mirror is a plane of the test's own."""

from __future__ import annotations

import numpy as np
from rigs_of_cameras import ring, seen_by, walkers

from mocap3d.base.skeletons import COCO_17
from mocap3d.identify.reflections import without_reflections

MIRROR = list(COCO_17.mirror)


def _in_glass(xyz_m, x_m):
    """Who stands behind a mirror at x = x_m; a detector calls their right hand left."""
    image = xyz_m.copy()
    image[..., 0] = 2 * x_m - image[..., 0]
    return image[:, MIRROR]


def test_a_reflection_is_left_out_and_the_person_stays():
    """Catches a second dancer behind the glass, and the real one taken for the image."""
    cameras = ring(3, arc_deg=120)  # at x = 0 and to the right of it
    person = walkers(1, seconds=2.0)[0]
    image = _in_glass(person, -2.5)
    seen = [seen_by(cameras, xyz_m, noise_px=2.0, seed=n) for n, xyz_m in enumerate((image, person))]
    kept = without_reflections(seen, cameras)
    assert len(kept) == 1
    assert kept[0] is seen[1]


def test_people_who_walk_alike_are_two_people():
    """Catches two who march side by side taken for one and a mirror, and symmetric dancers with cameras all around."""
    cameras = ring(3, arc_deg=120)
    person = walkers(1, seconds=2.0)[0]
    beside = person + [1.0, 0.0, 0.3]
    seen = [seen_by(cameras, xyz_m, noise_px=2.0, seed=n) for n, xyz_m in enumerate((person, beside))]
    assert without_reflections(seen, cameras) == tuple(seen)
    around = ring(4)
    partner = _in_glass(person, 0.8)
    danced = [seen_by(around, xyz_m, noise_px=2.0, seed=n) for n, xyz_m in enumerate((person, partner))]
    assert without_reflections(danced, around) == tuple(danced)


def test_who_stands_still_or_is_seen_by_one_camera_stays():
    """Catches a verdict where nothing moves, and one without depth."""
    cameras = ring(3, arc_deg=120)
    still = np.repeat(walkers(1, seconds=1.0)[0][:1], 30, axis=0)
    seen = [seen_by(cameras, xyz_m) for xyz_m in (still, _in_glass(still, -2.5))]
    assert len(without_reflections(seen, cameras)) == 2
    alone = (seen[0][0], None, None)
    assert without_reflections([alone], cameras) == (alone,)
