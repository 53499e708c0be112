"""The decoding of head maps, against TF.js's own numbers and against scalar loops."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from mocap3d.base.errors import InputError
from mocap3d.detect.heatmaps import STRIDE_PX, HeadMaps, decode_people, decode_person
from mocap3d.detect.networks import open_network

HERE = Path(__file__).parent
CASES: list[dict[str, Any]] = json.loads((HERE / "golden.json").read_text())["cases"]  # made by make_golden.mjs
SINGLE = [case for case in CASES if case["network"] != "movenet_multipose"]
NAMES = [f"{case['network']}-{case['picture']}" for case in CASES]

# The published Lightning graph multiplies cells by 1/48 stored as float16, 0.024 % too small: undo it.
FLOAT16_ERROR = {48: (1 / 48) / float(np.float16(1 / 48)), 64: 1.0}


def picture_of(case: dict[str, Any]) -> np.ndarray:
    """The very pixels that TF.js was given."""
    picture = cv2.imread(str(HERE / "pictures" / case["picture"]))[..., ::-1]
    top, left, h, w = case.get("top", 0), case.get("left", 0), case["height"], case["width"]
    image = np.zeros((h, w, 3), np.uint8)
    part = picture[top : top + h, left : left + w]
    image[: len(part)] = part
    return image


@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_maps_are_those_of_tfjs(case):
    """Catches a wrong padding, a transposed kernel, swapped heads, BGR for RGB, or lost precision in the conversion."""
    maps = open_network(case["network"]).maps(picture_of(case))
    for head, golden in case["maps"].items():
        values = getattr(maps, head)
        assert values.size == math.prod(golden["shape"])
        # Probabilities to 1e-4; places, up to 64 cells, to 1e-4 of the largest: float32 sums in another order.
        atol = 1e-4 * max(1.0, float(np.abs(values).max()))
        np.testing.assert_allclose(values.reshape(-1)[::997], golden["every_997th"], atol=atol, rtol=0)


@pytest.mark.parametrize("case", SINGLE, ids=[name for name in NAMES if "multipose" not in name])
def test_person_is_decoded_as_tfjs_does(case):
    """Catches any step of the official decoding left out or in another order; a plain argmax fails here."""
    xy_px, confidence = open_network(case["network"]).joints(picture_of(case))
    side, golden = case["width"], np.array(case["output"])[0, 0]  # (17, 3): y, x, confidence
    yx = golden[:, :2] * FLOAT16_ERROR[side // STRIDE_PX]
    np.testing.assert_allclose(xy_px / side, yx[:, ::-1], atol=1e-5)
    np.testing.assert_allclose(confidence, golden[:, 2], atol=1e-5)


def test_people_are_decoded_as_tfjs_does():
    """Catches boxes, nearness weights or scores that differ from MultiPose's own."""
    (case,) = [case for case in CASES if case["network"] == "movenet_multipose"]
    found = open_network("movenet_multipose").people(picture_of(case))
    golden = np.array(case["output"])[0]  # (6, 56): 17 x (y, x, confidence), top, left, bottom, right, score
    golden = golden[np.argsort(-golden[:, 55], kind="stable")]
    wh = np.array([case["width"], case["height"]])
    np.testing.assert_allclose(found.score, golden[:, 55], atol=1e-4)
    joints, boxes = golden[:, :51].reshape(6, 17, 3), golden[:, 51:55].reshape(6, 2, 2)
    np.testing.assert_allclose(found.xy_px / wh, joints[..., 1::-1], atol=1e-5)
    np.testing.assert_allclose(found.confidence, joints[..., 2], atol=1e-4)
    np.testing.assert_allclose(found.box_px.reshape(6, 2, 2) / wh, boxes[..., ::-1], atol=1e-5)


def random_maps(rng: np.random.Generator, h: int = 8, w: int = 12, joints: int = 5) -> HeadMaps:
    """Maps without meaning, on a grid that is not square."""
    return HeadMaps(
        centre=rng.random((h, w), dtype=np.float32),
        joints=rng.random((h, w, joints), dtype=np.float32),
        regression=rng.normal(0, 3, (h, w, joints, 2)).astype(np.float32),
        offsets=rng.random((h, w, joints, 2), dtype=np.float32),
    )


def decode_one_joint_slowly(maps: HeadMaps, joint: int) -> tuple[float, float, float]:
    """The published algorithm with plain loops, for maps of any shape."""
    h, w = maps.centre.shape
    cells = [(y, x) for y in range(h) for x in range(w)]
    cy, cx = max(cells, key=lambda c: maps.centre[c] / (math.dist(c, (h / 2, w / 2)) + 1.8))
    dy, dx = maps.regression[cy, cx, joint]
    y, x = max(cells, key=lambda c: maps.joints[c][joint] / (math.dist(c, (cy + dy, cx + dx)) + 1.8))
    oy, ox = maps.offsets[y, x, joint]
    return 4 * (x + ox), 4 * (y + oy), maps.joints[y, x, joint]


@pytest.mark.parametrize("seed", range(5))
def test_decoding_equals_plain_loops(seed):
    """Catches x and y swapped where the grid is not square, which square golden pictures cannot show."""
    maps = random_maps(np.random.default_rng(seed))
    xy_px, confidence = decode_person(maps)
    slow = np.array([decode_one_joint_slowly(maps, joint) for joint in range(5)])
    np.testing.assert_allclose(np.column_stack([xy_px, confidence]), slow, rtol=1e-5)


def test_people_need_boxes():
    """Catches a crash deep inside when a single-person network is asked for people."""
    with pytest.raises(InputError, match="movenet_multipose"):
        decode_people(random_maps(np.random.default_rng(0)))
