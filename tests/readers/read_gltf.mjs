// Joint positions (and vertices) of a GLB as three.js plays it.   node read_gltf.mjs FILE FPS_NUM/FPS_DEN OUT.json [STRIDE]
// OUT.json: {"names": [J], "xyz": [[[x, y, z], ...J], ...frames], "vertices": [[[x, y, z], ...V], ...frames],
//            "frames": number of keys, "bones": [J] whether three.js took the node for a bone}, joints in the order of
// the first skin (or of the humanoid of a VRM animation), names as in the file (three.js takes . and : out of its own).
import fs from "node:fs";
import * as THREE from "three";
import { GLTFLoader } from "three/examples/jsm/loaders/GLTFLoader.js";

globalThis.self = globalThis;
const [file, rate, out, stride = "1"] = process.argv.slice(2);
const [num, den = "1"] = rate.split("/").map(Number);
const bytes = fs.readFileSync(file);
const gltf = await new GLTFLoader().parseAsync(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length), "");
const { json, associations } = gltf.parser;
const objects = [];
gltf.scene.traverse((object) => {
  const node = associations.get(object)?.nodes;
  if (node !== undefined) objects[node] ??= object;
});
const bonesOf = (extension) => Object.values(extension.humanoid.humanBones).map((bone) => bone.node);
const joints = json.skins?.[0].joints ?? bonesOf(json.extensions.VRMC_vrm_animation);

// The mixer, as on a web page: it looks keys up by time, so a wrong time shows as wrong positions.
const clip = gltf.animations[0];
const mixer = new THREE.AnimationMixer(gltf.scene);
const action = mixer.clipAction(clip);
action.setLoop(THREE.LoopOnce);
action.clampWhenFinished = true;
action.play();
const skinned = [];
gltf.scene.traverse((object) => object.isSkinnedMesh && skinned.push(object));
const frames = Math.max(...clip.tracks.map((track) => track.times.length));
const xyz = [];
const vertices = [];
for (let frame = 0; frame < frames; frame += Number(stride)) {
  mixer.setTime(Math.min((frame * den) / num, clip.duration));
  gltf.scene.updateMatrixWorld(true);
  xyz.push(joints.map((node) => new THREE.Vector3().setFromMatrixPosition(objects[node].matrixWorld).toArray()));
  if (skinned.length) vertices.push(placed(skinned[0]));
}
const names = joints.map((node) => json.nodes[node].name);
const bones = joints.map((node) => objects[node].isBone === true);
fs.writeFileSync(out, JSON.stringify({ names, xyz, vertices, frames, bones }));

// All primitives of one mesh share their vertices.
function placed(mesh) {
  mesh.skeleton.update();
  const result = [];
  for (let n = 0; n < mesh.geometry.attributes.position.count; n++) {
    result.push(mesh.getVertexPosition(n, new THREE.Vector3()).applyMatrix4(mesh.matrixWorld).toArray());
  }
  return result;
}
