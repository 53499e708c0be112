// How much room something takes, and the place from which all of it can be seen.
import * as THREE from "three";

const ASIDE = 0.4; // radians that the eye stands beside the camera, so that depth can be seen
const UP = 0.24;

export class Extent {
  constructor() {
    this.box = new THREE.Box3();
    this.point = new THREE.Vector3();
  }

  /** Take in places, [x, y, z, x, y, z ...]; NaN is left out. */
  add(numbers) {
    for (let at = 0; at + 2 < numbers.length; at += 3) {
      this.point.fromArray(numbers, at);
      if (Number.isFinite(this.point.x + this.point.y + this.point.z)) this.box.expandByPoint(this.point);
    }
    return this;
  }

  /** Let a stage see all of it; from: [x, y, z] of a camera, from about which it is looked at, or null. */
  fit(stage, from) {
    const box = this.box.isEmpty() ? new THREE.Box3(new THREE.Vector3(-1, 0, -1), new THREE.Vector3(1, 1.8, 1)) : this.box;
    const centre = box.getCenter(new THREE.Vector3());
    const way = from ? new THREE.Vector3(...from).sub(centre).setY(0) : new THREE.Vector3(0.6, 0, 1);
    if (way.lengthSq() < 1e-6) way.set(0, 0, 1);
    way.normalize().applyAxisAngle(new THREE.Vector3(0, 1, 0), from ? ASIDE : 0);
    way.setY(UP).normalize();
    const size = box.getSize(new THREE.Vector3());
    const side = new THREE.Vector3(way.z, 0, -way.x).normalize();
    const across = Math.abs(side.x) * size.x + Math.abs(side.z) * size.z;
    const deep = Math.abs(side.z) * size.x + Math.abs(side.x) * size.z;
    const half = Math.tan(THREE.MathUtils.degToRad(stage.camera.fov / 2));
    const { width, height } = stage.host.getBoundingClientRect(); // the stage may not have been drawn yet
    const far = Math.max((size.y + deep * UP) / 2 / half, (across / 2 / half) * (height / width || 1));
    stage.controls.target.copy(centre);
    stage.camera.position.copy(centre).addScaledVector(way, far * 1.1 + deep / 3);
    stage.controls.update();
    stage.draw();
  }
}
