// Joints and skinned vertices of an FBX as three.js plays it.   node read_fbx.mjs FILE FPS_NUM/FPS_DEN FRAMES OUT.json
// OUT.json: {"names": [J], "xyz": [frames][J][3], "vertices": [frames][corners][3] or [], "corners": [corners][3] at
// rest, "duration": s, "unit_cm"}, in the file's unit.
import fs from "node:fs";
import * as THREE from "three";

globalThis.self = globalThis; // FBXLoader was written for web pages
const { FBXLoader } = await import("three/examples/jsm/loaders/FBXLoader.js");

const [file, rate, frames, out] = process.argv.slice(2);
const [num, den = "1"] = rate.split("/");
const bytes = fs.readFileSync(file);
const root = new FBXLoader().parse(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length), "");
const clip = root.animations[0];
const bones = [];
let mesh = null;
root.traverse((node) => {
  if (node.isBone) bones.push(node);
  if (node.isSkinnedMesh) mesh = node;
});

const points = (place) => {
  const at = mesh ? mesh.geometry.attributes.position : { count: 0 };
  return Array.from({ length: at.count }, (_, n) => place(n, new THREE.Vector3().fromBufferAttribute(at, n)).toArray());
};
const corners = points((_, vertex) => vertex);
const mixer = new THREE.AnimationMixer(root);
const action = mixer.clipAction(clip);
action.setLoop(THREE.LoopOnce);
action.clampWhenFinished = true;
action.play();
const xyz = [];
const vertices = [];
for (let frame = 0; frame < Number(frames); frame += 1) {
  mixer.setTime(Math.min((frame * Number(den)) / Number(num), clip.duration));
  root.updateMatrixWorld(true);
  xyz.push(bones.map((bone) => new THREE.Vector3().setFromMatrixPosition(bone.matrixWorld).toArray()));
  if (mesh) vertices.push(points((n, vertex) => mesh.applyBoneTransform(n, vertex).applyMatrix4(mesh.matrixWorld)));
}
const unit_cm = root.userData.unitScaleFactor ?? null;
const names = bones.map((bone) => bone.userData.originalName ?? bone.name);
fs.writeFileSync(out, JSON.stringify({ names, xyz, vertices, corners, duration: clip.duration, unit_cm }));
