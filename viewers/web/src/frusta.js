// Cameras where they stand: a pyramid that opens the way each one looks.
import * as THREE from "three";

const DEPTH_M = 0.35;

/** The corners of a picture at a depth, in the world: 4 x [x, y, z]. camera: { K, size_wh_px, world_from_cam }. */
export function corners(camera, depth) {
  const { K, size_wh_px: [width, height], world_from_cam } = camera;
  const pose = new THREE.Matrix4().set(...world_from_cam.flat());
  return [[-0.5, -0.5], [width - 0.5, -0.5], [width - 0.5, height - 0.5], [-0.5, height - 0.5]].map(([x, y]) => {
    const at = new THREE.Vector3(((x - K[0][2]) / K[0][0]) * depth, ((y - K[1][2]) / K[1][1]) * depth, depth);
    return at.applyMatrix4(pose).toArray();
  });
}

/** Where a camera stands, [x, y, z]. */
export function placeOf(camera) {
  return camera.world_from_cam.slice(0, 3).map((row) => row[3]);
}

export class Frustum {
  constructor(camera, colour, depth = DEPTH_M) {
    const eye = placeOf(camera);
    const [a, b, c, d] = corners(camera, depth);
    const top = a.map((value, k) => (value + b[k]) / 2 + (a[k] - d[k]) * 0.15); // a small flag says which side is up
    const lines = [[eye, a], [eye, b], [eye, c], [eye, d], [a, b], [b, c], [c, d], [d, a], [a, top], [top, b]];
    this.geometry = new THREE.BufferGeometry();
    this.geometry.setAttribute("position", new THREE.Float32BufferAttribute(lines.flat(2), 3));
    this.material = new THREE.LineBasicMaterial({ color: colour });
    this.object = new THREE.LineSegments(this.geometry, this.material);
    this.eye = eye;
  }

  dispose() {
    this.object.removeFromParent();
    this.geometry.dispose();
    this.material.dispose();
  }
}
