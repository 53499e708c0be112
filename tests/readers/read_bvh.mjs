// Joint positions of a BVH as three.js plays it.   node read_bvh.mjs FILE FPS_NUM/FPS_DEN OUT.json [STRIDE]
// OUT.json: {"names": [J], "xyz": [[[x, y, z], ...J], ...frames], "frames": number of frames}, in the file's unit and axes.
import fs from "node:fs";
import * as THREE from "three";
import { BVHLoader } from "three/examples/jsm/loaders/BVHLoader.js";

const [file, rate, out, stride = "1"] = process.argv.slice(2);
const [num, den = "1"] = rate.split("/");
const { skeleton, clip } = new BVHLoader().parse(fs.readFileSync(file, "utf8"));
const root = new THREE.Group();
root.add(skeleton.bones[0]);
const bones = skeleton.bones.filter((bone) => bone.name !== "ENDSITE");

// The mixer, as on a web page: it looks keys up by time, so a wrong frame time shows as wrong positions.
const mixer = new THREE.AnimationMixer(root);
const action = mixer.clipAction(clip);
action.setLoop(THREE.LoopOnce);
action.clampWhenFinished = true;
action.play();
const frames = clip.tracks[0].times.length;
const xyz = [];
for (let frame = 0; frame < frames; frame += Number(stride)) {
  mixer.setTime(Math.min((frame * Number(den)) / Number(num), clip.duration));
  root.updateMatrixWorld(true);
  xyz.push(bones.map((bone) => new THREE.Vector3().setFromMatrixPosition(bone.matrixWorld).toArray()));
}
fs.writeFileSync(out, JSON.stringify({ names: bones.map((bone) => bone.name), xyz, frames }));
