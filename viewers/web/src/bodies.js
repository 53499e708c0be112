// Skeletons: one ball per joint, one stick per bone, each kind one draw call.
import * as THREE from "three";
import { SIDES } from "./theme.js";

const BALL = new THREE.SphereGeometry(1, 10, 7);
const STICK = new THREE.CylinderGeometry(1, 1, 1, 8, 1, true).translate(0, 0.5, 0); // from the origin along +Y
const UP = new THREE.Vector3(0, 1, 0);

/** "left", "right" or "middle" of a joint, by its name. */
export function sideOf(name) {
  if (/^(left|l[_A-Z])/.test(name)) return "left";
  if (/^(right|r[_A-Z])/.test(name)) return "right";
  return "middle";
}

export class Body {
  /**
   * parents: index of each joint's parent, -1 for none. names: of the joints.
   * radius: of a joint, metres. opacity below 1 is a ghost.
   */
  constructor({ parents, names, radius = 0.028, opacity = 1 }) {
    this.bones = parents.flatMap((parent, joint) => (parent < 0 ? [] : [[parent, joint]]));
    this.radius = radius;
    this.sides = names.map(sideOf);
    const material = new THREE.MeshLambertMaterial({ transparent: opacity < 1, opacity, depthWrite: true });
    this.balls = new THREE.InstancedMesh(BALL, material, parents.length);
    this.sticks = new THREE.InstancedMesh(STICK, material, Math.max(this.bones.length, 1));
    this.object = new THREE.Group().add(this.balls, this.sticks);
    for (const mesh of [this.balls, this.sticks]) mesh.frustumCulled = false;
    this.#scratch();
    this.colourBySide();
  }

  #scratch() {
    this.matrix = new THREE.Matrix4();
    this.turn = new THREE.Quaternion();
    this.a = new THREE.Vector3();
    this.b = new THREE.Vector3();
    this.size = new THREE.Vector3();
    this.colour = new THREE.Color();
  }

  set opacity(value) {
    this.balls.material.opacity = value;
    this.balls.material.transparent = value < 1;
  }

  /**
   * Place the joints: J x 3 numbers, metres; a joint that is NaN is not drawn, nor are its bones.
   * sizes: how many times as large as usual each ball is.
   */
  set(xyz, sizes = null) {
    const { matrix, turn, a, b, size } = this;
    for (let j = 0; j < this.balls.count; j += 1) {
      a.fromArray(xyz, j * 3);
      size.setScalar(Number.isFinite(a.x) ? this.radius * (sizes ? sizes[j] : 1) : 0);
      if (!Number.isFinite(a.x)) a.set(0, 0, 0);
      this.balls.setMatrixAt(j, matrix.compose(a, turn.identity(), size));
    }
    this.bones.forEach(([parent, joint], i) => {
      a.fromArray(xyz, parent * 3);
      b.fromArray(xyz, joint * 3).sub(a);
      const length = b.length();
      const thick = this.radius * 0.55;
      if (length > 0 && Number.isFinite(length)) {
        turn.setFromUnitVectors(UP, b.divideScalar(length));
        matrix.compose(a, turn, size.set(thick, length, thick));
      } else {
        matrix.makeScale(0, 0, 0);
      }
      this.sticks.setMatrixAt(i, matrix);
    });
    this.balls.instanceMatrix.needsUpdate = true;
    this.sticks.instanceMatrix.needsUpdate = true;
  }

  /** One colour per joint and one per bone (that of the bone's far joint); arrays of CSS colours, one per joint. */
  paint(joints, bones = joints) {
    joints.forEach((css, j) => this.balls.setColorAt(j, this.colour.set(css)));
    this.bones.forEach(([, joint], i) => this.sticks.setColorAt(i, this.colour.set(bones[joint])));
    this.balls.instanceColor.needsUpdate = true;
    if (this.sticks.instanceColor) this.sticks.instanceColor.needsUpdate = true;
  }

  /** One joint's ball. */
  paintJoint(joint, css) {
    this.balls.setColorAt(joint, this.colour.set(css));
    this.balls.instanceColor.needsUpdate = true;
  }

  colourBySide() {
    this.paint(this.sides.map((side) => SIDES[side]));
  }

  colourAll(css) {
    this.paint(this.sides.map(() => css));
  }

  dispose() {
    this.object.removeFromParent();
    this.balls.material.dispose();
    this.balls.dispose();
    this.sticks.dispose();
  }
}
