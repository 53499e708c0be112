"""The procedural body: closed, symmetrical, sound in every pose, and there for any rig."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import trimesh
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from mocap3d.base.errors import InputError
from mocap3d.base.humanoid import HUMANOID_RIG, BodyLengths, humanoid_rig
from mocap3d.base.kinematics import forward, rest_pose, tip_positions
from mocap3d.base.mesh import deform
from mocap3d.base.motion import Motion
from mocap3d.base.rig import Rig, Tip
from mocap3d.base.skeleton import Skeleton
from mocap3d.base.skeletons import HUMANOID_22
from mocap3d.output.mannequin import mannequin
from mocap3d.output.mannequin_figure import SHORTS
from mocap3d.output.mannequin_shapes import blended_normals, outward_normals
from mocap3d.output.presets import dress, preset_named, preset_names, roles

ROLES = dict(enumerate(HUMANOID_22.joint_names))
REQUIRED = {"hips", "head"} | {
    f"{side}{limb}"
    for side in ("left", "right")
    for limb in ("UpperArm", "LowerArm", "Hand", "UpperLeg", "LowerLeg", "Foot")
}
NEVER = np.array([1.0, 0.0, 0.0, 0.0])


@pytest.fixture(scope="module")
def figure():
    """The mannequin of the average adult."""
    return mannequin(HUMANOID_RIG, ROLES)


def posed(rig=HUMANOID_RIG, **degrees):
    """One frame: joint = Euler angles about the world's x, y, z."""
    wxyz = np.tile(NEVER, (1, 22, 1))
    for joint, angles in degrees.items():
        wxyz[0, HUMANOID_22.index(joint)] = np.roll(Rotation.from_euler("xyz", angles, degrees=True).as_quat(), 1)
    return Motion(rig=rig, fps=Fraction(30), local_wxyz=wxyz, root_m=rig.offsets_m[:1])


SITTING = {f"{s}UpperLeg": (-90, 0, 0) for s in ("left", "right")} | {
    f"{s}LowerLeg": (90, 0, 0) for s in ("left", "right")
}
HANGING = {"leftUpperArm": (0, 0, -80), "rightUpperArm": (0, 0, 80)}
POSES = {"sitting": SITTING, "hanging": HANGING, "reaching": {"leftUpperArm": (0, 0, 70), "rightUpperArm": (0, 80, 0)}}


def parts(mesh):
    """The connected pieces: a list of (triangles, vertices) indices."""
    a, b = mesh.triangles[:, :2].T
    c = mesh.triangles[:, 2]
    rows, columns = np.concatenate([a, b]), np.concatenate([b, c])
    count = len(mesh.vertices_m)
    number, label = connected_components(coo_array((np.ones(len(rows)), (rows, columns)), shape=(count, count)))
    return [(mesh.triangles[label[mesh.triangles[:, 0]] == n], np.flatnonzero(label == n)) for n in range(number)]


def volume(places, triangles):
    """Signed volume by tetrahedra to the origin: above zero when the normals point outwards."""
    a, b, c = np.moveaxis(places[triangles], 1, 0)
    return float(np.einsum("ij,ij->i", a, np.cross(b, c)).sum() / 6)


def winding(places, triangles, point):
    """How often a surface goes around a point (van Oosterom and Strackee): 1 inside, 0 outside."""
    a, b, c = np.moveaxis(places[triangles] - point, 1, 0)
    la, lb, lc = (np.linalg.norm(v, axis=1) for v in (a, b, c))
    dot = lambda u, v: np.einsum("ij,ij->i", u, v)  # noqa: E731
    above = dot(a, np.cross(b, c))
    below = la * lb * lc + dot(a, b) * lc + dot(b, c) * la + dot(c, a) * lb
    return float(np.arctan2(above, below).sum() / (2 * np.pi))


def part_of(mesh, joint, rig=HUMANOID_RIG):
    """The largest piece that follows a joint more than any other does in some vertex."""
    j = rig.skeleton.index(joint)
    follows = ((mesh.joints == j) & (mesh.weights > 0.5)).any(axis=1)
    return max(parts(mesh), key=lambda part: int(follows[part[1]].sum()))


def check_closed(mesh):
    """Every piece is a closed surface without holes or handles, with its outside outside."""
    for triangles, vertices in parts(mesh):
        edges = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
        forth = {tuple(edge) for edge in edges.tolist()}
        assert len(forth) == len(edges)
        assert {(b, a) for a, b in forth} == forth
        assert len(vertices) - len(edges) // 2 + len(triangles) == 2
        assert volume(mesh.vertices_m, triangles) > 0


def test_the_figure_is_low_poly_and_closed(figure):
    """Catches holes, seams with doubled vertices, triangles turned inside out, a mesh that has grown."""
    assert 3000 <= len(figure.triangles) <= 6000
    check_closed(figure)
    corners = figure.vertices_m[figure.triangles]
    areas = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1) / 2
    assert areas.min() > 1e-9


def test_normals_are_those_of_trimesh(figure):
    """Catches normals that point inwards or are not of unit length."""
    theirs = trimesh.Trimesh(figure.vertices_m, figure.triangles, process=False).vertex_normals
    np.testing.assert_allclose(np.linalg.norm(figure.normals, axis=1), 1, atol=1e-9)
    assert np.einsum("ij,ij->i", theirs, figure.normals).min() > 0.8


def test_it_is_as_tall_and_as_heavy_as_a_person(figure):
    """Catches radii in the wrong unit, a head or soles that stick out of the stature."""
    low, high = figure.vertices_m.min(axis=0), figure.vertices_m.max(axis=0)
    assert low[1] == pytest.approx(0, abs=0.005)
    assert high[1] == pytest.approx(1.70, abs=0.015)
    assert high[0] - low[0] == pytest.approx(2 * 0.549 * 1.70, abs=0.01)
    litres = 1000 * volume(figure.vertices_m, figure.triangles)
    assert 50 < litres < 90  # the pieces overlap a little


def test_left_mirrors_right(figure):
    """Catches a thumb on the wrong side, weights of the left arm on the right one."""
    mirror = np.array(HUMANOID_22.mirror)

    def rows(places, joints):
        weights = np.zeros((len(places), 22))
        np.put_along_axis(weights, joints, 0, axis=1)
        for k in range(4):
            np.add.at(weights, (np.arange(len(places)), joints[:, k]), figure.weights[:, k])
        table = np.round(np.concatenate([places, weights], axis=1), 6) + 0.0
        return table[np.lexsort(table.T)]

    ours = rows(figure.vertices_m, figure.joints)
    theirs = rows(figure.vertices_m * [-1, 1, 1], mirror[figure.joints])
    np.testing.assert_allclose(theirs, ours, atol=2e-6)


def test_the_face_shows_where_it_looks(figure):
    """Catches a face at the back of the head: features and nose lie ahead of every other vertex of the head."""
    eyes = figure.vertices_m[np.unique(figure.triangles[figure.material == 4])]
    head = HUMANOID_22.index("head")
    of_head = figure.vertices_m[(figure.joints[:, 0] == head) & (figure.weights[:, 0] > 0.99)]
    assert eyes[:, 2].min() > np.median(of_head[:, 2])
    foremost = of_head[np.argmax(of_head[:, 2])]
    assert abs(foremost[0]) < 0.02
    assert 1.5 < foremost[1] < 1.6
    assert {material.name for material in figure.materials} >= {"body", "features"}


def test_weights_are_smooth(figure):
    """Catches skin that tears at a joint: neighbours that follow quite different joints."""
    weights = np.zeros((len(figure.vertices_m), 22))
    for k in range(4):
        np.add.at(weights, (np.arange(len(weights)), figure.joints[:, k]), figure.weights[:, k])
    for a, b in ((0, 1), (1, 2), (2, 0)):
        jump = np.abs(weights[figure.triangles[:, a]] - weights[figure.triangles[:, b]]).sum(axis=1) / 2
        assert jump.max() < 0.62
    assert (weights > 0).any(axis=0).all()


def limb_volume(places, triangles):
    """The volume of an open limb, closed by a fan around the middle of its edge."""
    edges = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    back = {(b, a) for a, b in edges.tolist()}
    rim = sorted({corner for edge in edges.tolist() if tuple(edge) not in back for corner in edge})
    return volume(places - places[rim].mean(axis=0), triangles) if rim else volume(places, triangles)


def limb_of(mesh, joint):
    """The triangles that follow an arm for the most part, or the whole piece of a leg."""
    triangles, _ = part_of(mesh, joint.replace("Hand", "LowerArm"))
    if "Leg" in joint:
        return triangles
    side = "left" if "left" in joint else "right"
    arm = [HUMANOID_22.index(f"{side}{name}") for name in ("UpperArm", "LowerArm", "Hand")]
    share = (mesh.weights * np.isin(mesh.joints, arm)).sum(axis=1)
    return triangles[(share[triangles] > 0.2).all(axis=1)]


@pytest.mark.parametrize(
    ("joint", "angles", "share"),
    [
        ("leftLowerLeg", (120, 0, 0), 0.88),
        ("leftLowerLeg", (90, 0, 0), 0.92),
        ("rightLowerArm", (0, 90, 0), 0.92),
        ("rightLowerArm", (0, 140, 0), 0.85),
        ("leftUpperArm", (0, 0, -80), 0.92),
        ("leftUpperArm", (80, 0, 0), 0.85),
        ("rightHand", (90, 0, 0), 0.95),
        ("leftUpperLeg", (-90, 0, 0), 0.90),
    ],
)
def test_limbs_keep_their_volume(figure, joint, angles, share):
    """Catches joints that collapse like a candy wrapper when they bend or twist."""
    triangles = limb_of(figure, joint)
    rest = limb_volume(figure.vertices_m, triangles)
    bent = limb_volume(deform(figure, posed(**{joint: angles}))[0], triangles)
    assert share < bent / rest < 1.06


@pytest.mark.parametrize("name", POSES)
def test_limbs_stay_in_the_trunk(figure, name):
    """Catches a gap at shoulder or hip: arms are sewn to the trunk, the closed end of each leg stays inside it."""
    places = deform(figure, posed(**POSES[name]))[0]
    trunk, _ = part_of(figure, "chest")
    for arm in ("leftLowerArm", "rightLowerArm"):
        assert np.array_equal(part_of(figure, arm)[0], trunk)
    for leg in ("leftLowerLeg", "rightLowerLeg"):
        _, vertices = part_of(figure, leg)
        first_end = places[vertices[-2]]
        assert winding(places, trunk, first_end) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("degrees", [0, 50, 85])
def test_lowered_arms_leave_a_smooth_shoulder(figure, degrees):
    """Catches sleeves like pads: a crease on top of the shoulder, or an outline that rises from neck to arm."""
    down = {"leftUpperArm": (0, 0, -degrees), "rightUpperArm": (0, 0, degrees)}
    places = deform(figure, posed(**down))[0]
    triangles, _ = part_of(figure, "chest")
    corners = places[triangles]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    faces = {}
    for face, corner in enumerate(triangles.tolist()):
        for a, b in ((0, 1), (1, 2), (2, 0)):
            faces.setdefault(frozenset((corner[a], corner[b])), []).append(face)
    joint = forward(posed())[0][0, HUMANOID_22.index("leftUpperArm")]
    top = [
        (one, other)
        for edge, (one, other) in faces.items()
        if (places[list(edge)][:, 1] > joint[1] - 0.01).all() and (abs(places[list(edge)][:, 0]) > 0.08).all()
    ]
    cosines = [float(normals[one] @ normals[other]) for one, other in top]
    assert len(top) > 60
    assert np.degrees(np.arccos(min(cosines))) < 45
    start, end = np.moveaxis(places[[list(edge) for edge in faces]], 1, 0)
    outline = []
    for x in np.arange(0.09, joint[0] + 0.03, 0.01):
        crossed = (start[:, 0] - x) * (end[:, 0] - x) < 0
        way = (x - start[crossed, 0]) / (end[crossed, 0] - start[crossed, 0])
        outline.append((start[crossed, 1] + way * (end[crossed, 1] - start[crossed, 1])).max())
    assert np.diff(outline).max() < 0.004


def distance_to_bones(motion, places):
    """(T, V) from each vertex to the nearest bone."""
    world_m, _ = forward(motion)
    bones = [(world_m[:, p], world_m[:, j]) for j, p in enumerate(motion.rig.skeleton.parents) if p >= 0]
    tips = tip_positions(motion)
    bones += [(world_m[:, tip.parent], tips[:, k]) for k, tip in enumerate(motion.rig.tips)]
    nearest = np.full(places.shape[:2], np.inf)
    for start, end in bones:
        along = (end - start)[:, None]
        square = np.maximum((along**2).sum(axis=-1), 1e-12)
        t = np.clip(((places - start[:, None]) * along).sum(axis=-1) / square, 0, 1)
        nearest = np.minimum(nearest, np.linalg.norm(places - start[:, None] - t[..., None] * along, axis=-1))
    return nearest


@pytest.mark.parametrize("name", preset_names())
def test_every_dressed_rig_gets_the_same_figure(figure, name):
    """Catches bone axes or an A-pose that twist the body; it stays near its bones in any motion."""
    rng = np.random.default_rng(3)
    wxyz = Rotation.from_rotvec(rng.normal(0, 0.7, (4 * 22, 3))).as_quat()[:, [3, 0, 1, 2]].reshape(4, 22, 4)
    motion = Motion(rig=HUMANOID_RIG, fps=Fraction(30), local_wxyz=wxyz, root_m=rng.normal(size=(4, 3)))
    dressed = dress(motion, preset_named(name))
    mesh = mannequin(dressed.rig, roles(dressed.rig))
    places = deform(mesh, dressed)
    assert distance_to_bones(dressed, places).max() < 0.24
    if name != "ue5":
        np.testing.assert_allclose(mesh.vertices_m, figure.vertices_m, atol=1e-9)
        np.testing.assert_allclose(places, deform(figure, motion), atol=1e-9)
    else:
        check_closed(mesh)
        assert volume(mesh.vertices_m, mesh.triangles) == pytest.approx(
            volume(figure.vertices_m, figure.triangles), rel=0.03
        )


def test_a_rig_that_lies_down_gets_a_figure_that_lies_down(figure):
    """Catches a body built for +Y up only, such as the Z-up rigs of Blender."""
    turn = Rotation.from_euler("xyz", (90, 30, 200), degrees=True)
    rest = HUMANOID_RIG.rest_wxyz.copy()
    rest[0] = np.roll(turn.as_quat(), 1)
    offsets = HUMANOID_RIG.offsets_m.copy()
    offsets[0] = (3, 4, 5)
    mesh = mannequin(replace(HUMANOID_RIG, rest_wxyz=rest, offsets_m=offsets), ROLES)
    expected = turn.apply(figure.vertices_m - HUMANOID_RIG.offsets_m[0]) + (3, 4, 5)
    np.testing.assert_allclose(mesh.vertices_m, expected, atol=1e-9)
    np.testing.assert_allclose(mesh.normals, turn.apply(np.array(figure.normals)), atol=1e-6)


def test_it_grows_with_the_body(figure):
    """Catches radii in metres: a child's arms as thick as an adult's."""
    rig = humanoid_rig(BodyLengths().scaled(0.85))
    np.testing.assert_allclose(mannequin(rig, ROLES).vertices_m, figure.vertices_m / 2, atol=1e-9)
    longer = humanoid_rig(replace(BodyLengths(), lower_arm=0.35))
    assert np.ptp(mannequin(longer, ROLES).vertices_m[:, 0]) > np.ptp(figure.vertices_m[:, 0]) + 0.15


def test_the_fourteen_joints_that_matter_are_enough(figure):
    """Catches a figure that needs shoulders, toes or a chest; what is missing follows the joint before it."""
    keep = [j for j, name in enumerate(HUMANOID_22.joint_names) if name in REQUIRED]
    rest_m, _ = rest_pose(HUMANOID_RIG)
    parents = []
    for j in keep:
        p = HUMANOID_22.parents[j]
        while p >= 0 and p not in keep:
            p = HUMANOID_22.parents[p]
        parents.append(keep.index(p) if p >= 0 else -1)
    offsets = np.array([rest_m[j] - (rest_m[keep[p]] if p >= 0 else 0) for j, p in zip(keep, parents, strict=True)])
    names = tuple(HUMANOID_22.joint_names[j] for j in keep)
    skeleton = Skeleton(name="few", joint_names=names, parents=tuple(parents), mirror=tuple(range(len(keep))))
    rig = Rig(skeleton=skeleton, offsets_m=offsets, rest_wxyz=np.tile(NEVER, (len(keep), 1)))
    mesh = mannequin(rig, dict(enumerate(names)))
    check_closed(mesh)
    assert len(mesh.triangles) == len(figure.triangles)
    assert np.abs(mesh.vertices_m - figure.vertices_m).max() < 0.04
    assert len(mannequin(rig, dict(enumerate(names[:-1]))).triangles) < 3000  # a foot is missing: rods


def chain(*offsets, tips=()):
    """A rig of joints in a row."""
    count = len(offsets)
    names = tuple(f"j{n}" for n in range(count))
    skeleton = Skeleton(name="row", joint_names=names, parents=tuple(range(-1, count - 1)), mirror=tuple(range(count)))
    wxyz = Rotation.from_rotvec(np.random.default_rng(1).normal(size=(count, 3))).as_quat()[:, [3, 0, 1, 2]]
    return Rig(skeleton=skeleton, offsets_m=np.array(offsets), rest_wxyz=wxyz, tips=tips)


@pytest.mark.parametrize(
    "rig",
    [
        chain((0.0, 0.5, 0.0), (0.3, 0.1, 0.0), (0.0, -0.2, 0.1)),
        chain((0.0, 0.5, 0.0), (0.0, 0.0, 0.0), (0.0, 0.0, -0.2)),
        chain((0.0, 0.5, 0.0)),
        chain((0.0, 0.5, 0.0), tips=(Tip(name="end", parent=0, offset_m=np.array([0.0, 0.0, 0.4])),)),
    ],
    ids=["snake", "zero length", "one joint", "one bone"],
)
def test_other_rigs_get_rods_and_balls(rig):
    """Catches a division by zero on a bone without length, and rods that leave their joints."""
    mesh = mannequin(rig)
    check_closed(mesh)
    rest_m, _ = rest_pose(rig)
    motion = Motion(rig=rig, fps=Fraction(30), local_wxyz=rig.rest_wxyz[None], root_m=rig.offsets_m[:1])
    np.testing.assert_allclose(deform(mesh, motion)[0], mesh.vertices_m, atol=1e-9)
    for j, place in enumerate(rest_m):
        follows = (mesh.joints[:, 0] == j) & (mesh.weights[:, 0] == 1)
        assert follows.any()
        assert np.linalg.norm(mesh.vertices_m[follows] - place, axis=1).min() < 0.06
    assert (mannequin(rig, {0: "hips"}).vertices_m == mesh.vertices_m).all()


def test_joints_in_one_place_are_no_figure():
    """Catches NaN in the mesh of a rig whose limbs have no length."""
    flat = replace(HUMANOID_RIG, offsets_m=np.zeros((22, 3)), tips=())
    assert np.isfinite(mannequin(flat, ROLES).vertices_m).all()
    offsets = HUMANOID_RIG.offsets_m.copy()
    offsets[HUMANOID_22.index("leftHand")] = 0
    assert len(mannequin(replace(HUMANOID_RIG, offsets_m=offsets), ROLES).triangles) < 5000
    offsets = HUMANOID_RIG.offsets_m.copy()
    for name in ("spine", "leftUpperArm", "rightUpperArm", "leftToes"):  # CMU's files have such joints
        offsets[HUMANOID_22.index(name)] = 0
    offsets[HUMANOID_22.index("leftShoulder")] = (0.18, 0.1, 0)
    offsets[HUMANOID_22.index("rightShoulder")] = (-0.18, 0.1, 0)
    check_closed(mannequin(replace(HUMANOID_RIG, offsets_m=offsets), ROLES))


@pytest.mark.parametrize("wrong", [{22: "hips"}, {-1: "hips"}, {0: "pelvis"}])
def test_roles_that_cannot_be_are_refused(wrong):
    """Catches an index error deep inside, or a role that is silently ignored."""
    with pytest.raises(InputError, match="cannot be"):
        mannequin(HUMANOID_RIG, wrong)


def test_light_falls_alike_on_surfaces_that_cross():
    """Catches a seam that is seen, sides of a sheet that take each other's light, and others that change."""
    rng = np.random.default_rng(0)
    points = np.concatenate([rng.uniform(size=(400, 3)) * [1, 0.01, 1]] * 3)
    tilted = [np.array([np.sin(angle), np.cos(angle), 0.0]) for angle in (0.3, -0.3)]
    normals = np.repeat([*tilted, -tilted[0]], 400, axis=0)
    kept = np.arange(1200)[np.arange(1200) % 400 < 300]
    found = blended_normals(points, normals, kept, 0.3)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-12)
    both = kept[kept < 800]
    assert np.abs(found[both, 0]).max() < 0.3 * np.sin(0.3)
    np.testing.assert_allclose(found[kept[kept >= 800]], normals[kept[kept >= 800]], atol=1e-12)
    others = np.setdiff1d(np.arange(1200), kept)
    np.testing.assert_array_equal(found[others], normals[others])


def test_the_legs_leave_the_shorts_without_a_seam(figure):
    """Catches legs that look like those of a doll: where they cross the trunk, both are lit alike."""
    shorts = np.unique(figure.triangles[figure.material == SHORTS])
    plain = outward_normals(figure.vertices_m, figure.triangles)
    near = [pair for pair in cKDTree(figure.vertices_m[shorts]).query_pairs(0.02) if _apart(plain, shorts, pair) < 60]
    assert np.mean([_apart(figure.normals, shorts, pair) for pair in near]) < 0.75 * np.mean(
        [_apart(plain, shorts, pair) for pair in near]
    )


def _apart(normals, which, pair):
    """Degrees between the normals of two vertices."""
    a, b = normals[which[list(pair)]]
    return np.degrees(np.arccos(np.clip(a @ b, -1, 1)))


def test_the_trunk_reaches_legs_that_begin_below_the_hips():
    """Catches a gap between shorts and thighs on rigs whose hips lie in the belly, as those of CMU and Second Life."""
    offsets_m = HUMANOID_RIG.offsets_m.copy()
    legs = [HUMANOID_22.joint_names.index(f"{side}UpperLeg") for side in ("left", "right")]
    offsets_m[legs, 1] -= 0.16
    low = replace(HUMANOID_RIG, offsets_m=offsets_m)
    mesh = mannequin(low, ROLES)
    trunk = (mesh.joints[:, 0] == 0) & (mesh.weights[:, 0] > 0.5)
    assert mesh.vertices_m[trunk, 1].min() < rest_pose(low)[0][legs, 1].min()
