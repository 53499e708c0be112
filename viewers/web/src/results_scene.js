// What stands on the stage: bodies of truth and models, cameras, trails.
import * as THREE from "three";
import { Body } from "./bodies.js";
import { el } from "./dom.js";
import { cssColour, ramp, SIDES } from "./theme.js";

const APART_M = 1.1; // bodies side by side
const ASIDE_M = 0.4; // of the middle, for the picture in the corner
const FILLS_M = 2.15; // how much of the room is in view
const ROOT_HEIGHT_M = 0.95; // where the pelvis is put when bodies are root-aligned
const TRAIL_S = 2;
const FRUSTUM_M = 0.45;
export const FULL_MM = 120; // the error at the end of the colours

export class ResultsScene {
  constructor(stage, page) {
    Object.assign(this, { stage, page, bodies: new Map(), drawnFrame: -1 });
    this.frusta = new THREE.Group();
    stage.scene.add(this.frusta);
    stage.beforeDraw.push(() => this.#update());
    stage.afterDraw.push(() => this.#placeLabels());
  }

  /** Another sequence: other bodies, the eye goes to where the person is. */
  setTake() {
    for (const key of [...this.bodies.keys()]) this.#remove(key);
    this.framed = false;
  }

  setModels() {
    const { page } = this;
    const wanted = new Map([["truth", null], ...page.shownModels().map((model) => [model.number, model])]);
    if (!page.state.truth) wanted.delete("truth");
    for (const key of [...this.bodies.keys()]) if (!wanted.has(key)) this.#remove(key);
    for (const [key, model] of wanted) if (!this.bodies.has(key)) this.bodies.set(key, this.#add(model));
  }

  /** Put the eye anew where everybody is in view. */
  reframe() {
    this.framed = false;
  }

  setCamera() {
    this.drawnFrame = -1;
    for (const node of this.stage.labels.querySelectorAll(".camera")) node.remove();
    this.frusta.clear();
    this.page.cameras.forEach((camera, number) => this.#frustum(camera, number));
    this.lookThrough();
  }

  lookThrough() {
    const { state, cameras } = this.page;
    this.stage.lookThrough(state.through ? (cameras[state.camera] ?? null) : null);
  }

  /** Where a joint was last drawn, in CSS pixels of the stage. */
  jointOnScreen(model, joint) {
    const entry = this.bodies.get(model ?? "truth");
    if (!entry?.xyz) return null;
    const [x, y, z] = entry.xyz.subarray(joint * 3, joint * 3 + 3);
    const at = entry.body.object.position;
    return this.stage.toScreen(x + at.x, y + at.y, z + at.z);
  }

  #add(model) {
    const { joints, parents } = this.page.skeleton;
    const body = new Body({ names: joints, parents });
    const material = new THREE.LineBasicMaterial({ transparent: true, opacity: 0.8 });
    const trail = new THREE.LineSegments(new THREE.BufferGeometry(), material);
    trail.frustumCulled = false;
    body.object.add(trail);
    this.stage.scene.add(body.object);
    const label = el("span", { class: "body-label" }, model ? model.name : "truth");
    this.stage.labels.append(label);
    return { body, trail, label, model, xyz: null };
  }

  #remove(key) {
    const { body, trail, label } = this.bodies.get(key);
    trail.geometry.dispose();
    trail.material.dispose();
    body.dispose();
    label.remove();
    this.bodies.delete(key);
  }

  // Everything for the frame that is to be drawn; what is still on its way stays as it was.
  #update() {
    const { page } = this;
    const truth = page.frameOf("truth");
    if (!truth) return;
    const root = truth.subarray(page.skeleton.root * 3, page.skeleton.root * 3 + 3);
    this.#eye(root);
    let all = true;
    [...this.bodies.values()].forEach((entry, index) => {
      const rows = entry.model ? page.frameOf("found", entry.model.number) : truth;
      if (!rows) all = false;
      else this.#pose(entry, rows, index);
    });
    this.frusta.visible = page.state.place === "world" && !page.state.through;
    if (all) {
      this.drawnFrame = page.state.frame;
      page.onPicture();
    }
    page.legend.update();
    page.joints.update();
    page.picture.update(page);
  }

  #eye(root) {
    const { state } = this.page;
    if (state.through || !Number.isFinite(root[0])) return;
    const target = state.place === "root" ? [0, ROOT_HEIGHT_M, 0] : [root[0], ROOT_HEIGHT_M, root[2]];
    if (!this.framed) {
      this.framed = true;
      const aside = state.layout === "side" ? 0.14 * (this.bodies.size - 1) : 0;
      this.stage.frameOn(target, FILLS_M * (1 + aside));
    } else if (state.follow || state.place === "root") {
      this.stage.follow(target);
    }
  }

  #pose(entry, rows, index) {
    const { page } = this;
    const { state } = page;
    entry.xyz = this.#placed(rows, entry.model?.number ?? null);
    const errors = entry.model ? page.frameOf("errors", entry.model.number) : null;
    const sizes = errors && state.colour === "error" ? Array.from(errors.subarray(2), (mm) => 1 + 0.7 * Math.min((mm || 0) / FULL_MM, 1)) : null;
    entry.body.set(entry.xyz, sizes);
    this.#colour(entry, errors);
    entry.body.object.position.copy(this.#beside(index));
    const ghost = state.layout === "over" && this.bodies.size > 1 && entry.model?.number !== state.focus;
    entry.body.opacity = ghost ? 0.45 : 1;
    this.#trail(entry);
  }

  // In the room, around the root, or as the camera's lens bends them.
  #placed(rows, model) {
    const { page } = this;
    const { state } = page;
    const placed = new Float32Array(rows);
    if (state.through) {
      const px = model === null ? page.frameOf("true_px") : page.frameOf("found_px", model);
      if (px) this.#bend(placed, px);
    } else if (state.place === "root") {
      const { root } = page.skeleton;
      const by = [rows[root * 3], rows[root * 3 + 1] - ROOT_HEIGHT_M, rows[root * 3 + 2]];
      for (let k = 0; k < placed.length; k += 1) placed[k] -= by[k % 3];
    }
    return placed;
  }

  // Each joint moves so that a straight lens shows it on the pixel where the real lens does, as far away as it is.
  #bend(xyz, px) {
    const { K, world_from_cam: pose } = this.page.cameras[this.page.state.camera];
    for (let j = 0; j < px.length / 2; j += 1) {
      const from = [0, 1, 2].map((k) => xyz[j * 3 + k] - pose[k][3]);
      const depth = [0, 1, 2].reduce((sum, k) => sum + pose[k][2] * from[k], 0);
      const y = ((px[j * 2 + 1] - K[1][2]) / K[1][1]) * depth;
      const x = ((px[j * 2] - K[0][2]) / K[0][0]) * depth - (K[0][1] / K[0][0]) * y;
      for (let k = 0; k < 3; k += 1) xyz[j * 3 + k] = pose[k][0] * x + pose[k][1] * y + pose[k][2] * depth + pose[k][3];
    }
  }

  #colour({ body, model }, errors) {
    const { state } = this.page;
    const own = model?.colour ?? cssColour("--truth");
    if (state.colour === "sides") body.colourBySide();
    else if (state.colour === "model" || !errors) body.colourAll(own);
    else {
      const joints = Array.from(errors.subarray(2), (mm) => (Number.isFinite(mm) ? ramp(mm / FULL_MM) : SIDES.middle));
      body.paint(joints, joints.map(() => own));
    }
    if (state.joint >= 0 && state.colour !== "error") body.paintJoint(state.joint, cssColour("--accent"));
  }

  // Side by side along the picture's width, on the floor.
  #beside(index) {
    const { state } = this.page;
    const right = new THREE.Vector3();
    if (state.layout !== "side" || state.through) return right;
    right.setFromMatrixColumn(this.stage.camera.matrixWorld, 0).setY(0).normalize();
    return right.multiplyScalar((index - (this.bodies.size - 1) / 2) * APART_M + (state.picture ? ASIDE_M : 0));
  }

  // The way of the hands, feet and head (or of the joint that was picked) over the last seconds.
  #trail({ trail, model }) {
    const { page } = this;
    const { state } = page;
    trail.visible = state.trails && !state.through;
    if (!trail.visible) return;
    const { parents } = page.skeleton;
    const ends = state.joint >= 0 ? [state.joint] : parents.flatMap((_, j) => (parents.includes(j) ? [] : [j]));
    const places = [];
    let before = null;
    for (let t = Math.max(0, state.frame - Math.round(TRAIL_S * page.take.fps)); t <= state.frame; t += 1) {
      const rows = model ? page.frameOf("found", model.number, t) : page.frameOf("truth", null, t);
      const now = rows && this.#placed(rows, model?.number ?? null);
      for (const j of now && before ? ends : []) {
        const step = [...before.subarray(j * 3, j * 3 + 3), ...now.subarray(j * 3, j * 3 + 3)];
        if (step.every(Number.isFinite)) places.push(...step);
      }
      before = now;
    }
    trail.geometry.dispose();
    trail.geometry = new THREE.BufferGeometry();
    trail.geometry.setAttribute("position", new THREE.Float32BufferAttribute(places, 3));
    trail.material.color.set(model?.colour ?? cssColour("--truth"));
  }

  #frustum(camera, number) {
    const [width, height] = camera.size_wh_px;
    const { K } = camera;
    const corners = [[-0.5, -0.5], [width - 0.5, -0.5], [width - 0.5, height - 0.5], [-0.5, height - 0.5]].map(
      ([u, v]) => new THREE.Vector3((u - K[0][2]) / K[0][0], (v - K[1][2]) / K[1][1], 1).multiplyScalar(FRUSTUM_M),
    );
    const eye = new THREE.Vector3();
    const points = corners.flatMap((corner, i) => [eye, corner, corner, corners[(i + 1) % 4]]);
    const chosen = number === this.page.state.camera;
    const colour = cssColour(chosen ? "--accent" : "--faint");
    const lines = new THREE.LineSegments(new THREE.BufferGeometry().setFromPoints(points), new THREE.LineBasicMaterial({ color: colour }));
    lines.matrixAutoUpdate = false;
    lines.matrix.set(...camera.world_from_cam.flat());
    this.frusta.add(lines);
    const onclick = () => this.page.setCamera(number);
    const label = el("button", { class: `camera${chosen ? " chosen" : ""}`, tabindex: "-1", onclick }, camera.name);
    label.place = new THREE.Vector3(0, 0, 0).applyMatrix4(lines.matrix);
    this.stage.labels.append(label);
  }

  #placeLabels() {
    const { state } = this.page;
    const put = (node, at) => {
      const [width] = this.stage.size;
      node.hidden = !at || at[0] < 0 || at[0] > width;
      if (node.hidden) return;
      const half = (node.half ||= node.offsetWidth / 2); // a name is not cut off by the edge
      node.style.transform = `translate(${Math.min(Math.max(at[0], half), width - half)}px, ${at[1]}px) translate(-50%, -130%)`;
    };
    for (const node of this.stage.labels.querySelectorAll(".camera")) {
      put(node, this.frusta.visible ? this.stage.toScreen(node.place.x, node.place.y, node.place.z) : null);
    }
    for (const { label, xyz, body, model } of this.bodies.values()) {
      label.style.color = model?.colour ?? cssColour("--truth");
      const top = xyz && state.layout === "side" && !state.through ? highest(xyz) : null;
      put(label, top && this.stage.toScreen(top[0] + body.object.position.x, top[1] + 0.12, top[2] + body.object.position.z));
    }
  }
}

function highest(xyz) {
  let best = -1;
  for (let j = 0; j < xyz.length / 3; j += 1) if (best < 0 ? Number.isFinite(xyz[j * 3 + 1]) : xyz[j * 3 + 1] > xyz[best * 3 + 1]) best = j;
  return best < 0 ? null : xyz.subarray(best * 3, best * 3 + 3);
}
