// What stands on the stage of a capture: people, what their feet stand on, cameras, rays of a joint.
import * as THREE from "three";
import { Body } from "./bodies.js";
import { el } from "./dom.js";
import { Frustum, placeOf } from "./frusta.js";
import { Mannequin } from "./mannequin.js";
import { cssColour, MODELS } from "./theme.js";

export const STANDS = "#009e73";
const RING = new THREE.RingGeometry(0.035, 0.05, 24).rotateX(-Math.PI / 2);
const DOT = new THREE.SphereGeometry(0.018, 8, 6);
const BEYOND_M = 0.4; // how far rays go on behind the joint

/** One person: bones or mannequin, rings under standing heels and toes, a name. */
class Figure {
  constructor(stage, facts, source, fps) {
    Object.assign(this, { stage, facts, source, fps, mannequin: null, loading: null, xyz: null });
    const small = facts.joints.length > 40 || !facts.parents.some((parent) => parent >= 0);
    this.body = new Body({ parents: facts.parents, names: facts.joints, radius: small ? 0.016 : 0.026 });
    this.body.sticks.visible = facts.parents.some((parent) => parent >= 0); // points of a file have no bones
    this.body.sides = facts.sides;
    this.body.colourBySide();
    this.rings = [0, 1, 2, 3].map(() => new THREE.Mesh(RING, new THREE.MeshBasicMaterial({ color: STANDS, side: THREE.DoubleSide })));
    this.path = new THREE.Line(new THREE.BufferGeometry(), new THREE.LineBasicMaterial({ transparent: true, opacity: 0.7 }));
    this.path.frustumCulled = false;
    this.label = el("span", { class: "person-label" }, facts.label);
    stage.scene.add(this.body.object, this.path, ...this.rings);
    stage.labels.append(this.label);
  }

  /** frame: of their own; xyz: its joints, or null (not there, not loaded); feet: 4 x [x, y, z, contact] or null; look: { mannequin }. */
  show(frame, xyz, feet, look) {
    this.xyz = xyz;
    const meshed = look.mannequin && this.facts.mannequin !== null && this.#mannequinIsThere();
    this.body.object.visible = Boolean(xyz) && !meshed;
    if (this.mannequin) this.mannequin.object.visible = Boolean(xyz) && meshed;
    this.path.visible = Boolean(xyz);
    if (xyz) this.body.set(xyz);
    if (xyz && meshed) this.mannequin.set(frame, this.facts.mannequin_from_s);
    this.rings.forEach((ring, k) => {
      ring.visible = Boolean(xyz && feet && feet[k * 4 + 3] >= 0.5);
      if (ring.visible) ring.position.set(feet[k * 4], feet[k * 4 + 1] + 0.004, feet[k * 4 + 2]);
    });
  }

  /** The way of the hips over the floor. */
  setPath(rows, width) {
    const points = [];
    for (let at = 0; at < rows.length; at += width) points.push(rows[at], 0.002, rows[at + 2]);
    this.path.geometry.setAttribute("position", new THREE.Float32BufferAttribute(points, 3));
    this.path.material.color.set(cssColour("--faint"));
  }

  placeLabel(shown) {
    let top = null;
    if (shown && this.xyz) for (let j = 0; j < this.xyz.length; j += 3) if (!(top && this.xyz[j + 1] <= top[1])) if (Number.isFinite(this.xyz[j])) top = this.xyz.subarray(j, j + 3);
    const at = top && this.stage.toScreen(top[0], top[1] + 0.25, top[2]);
    this.label.hidden = !at;
    if (at) this.label.style.transform = `translate(${at[0]}px, ${at[1]}px) translate(-50%, -100%)`;
  }

  #mannequinIsThere() {
    if (this.mannequin) return true;
    this.loading ??= this.source.file(this.facts.mannequin).then(async ({ blob }) => {
      this.mannequin = await Mannequin.from(await blob.arrayBuffer(), this.fps);
      this.stage.scene.add(this.mannequin.object);
      this.source.onchange();
    });
    this.loading.catch(this.source.onerror);
    return false;
  }
}

export class CaptureScene {
  constructor(stage, manifest, source) {
    Object.assign(this, { stage, manifest, frusta: [], rays: new THREE.Group() });
    this.figures = manifest.people.map((facts) => new Figure(stage, facts, source, manifest.fps));
    this.dots = new THREE.InstancedMesh(DOT, new THREE.MeshBasicMaterial(), 64);
    this.dots.frustumCulled = false;
    this.dots.visible = false;
    stage.scene.add(this.rays, this.dots);
    this.colours = manifest.cameras.map((_, c) => MODELS[c % MODELS.length]);
    stage.afterDraw.push(() => this.#placeLabels());
  }

  /** Draw these cameras, by number. */
  setCameras(numbers) {
    for (const { frustum, label } of this.frusta) {
      frustum.dispose();
      label.remove();
    }
    this.frusta = numbers.map((c) => {
      const camera = this.manifest.cameras[c];
      const frustum = new Frustum(camera, this.colours[c]);
      const label = el("span", { class: "camera-label" }, camera.name);
      this.stage.scene.add(frustum.object);
      this.stage.labels.append(label);
      return { frustum, label };
    });
    this.stage.draw();
  }

  /** Rays from cameras to a joint: [{ camera, direction, to }], to: where the joint is taken to be. */
  setRays(rays) {
    for (const line of this.rays.children) {
      line.geometry.dispose();
      line.material.dispose();
    }
    this.rays.clear();
    for (const { camera, direction, to } of rays) {
      const eye = placeOf(this.manifest.cameras[camera]);
      const reach = direction.reduce((sum, d, k) => sum + d * (to[k] - eye[k]), 0) + BEYOND_M;
      const end = eye.map((value, k) => value + direction[k] * reach);
      const geometry = new THREE.BufferGeometry().setAttribute("position", new THREE.Float32BufferAttribute([...eye, ...end], 3));
      this.rays.add(new THREE.Line(geometry, new THREE.LineBasicMaterial({ color: this.colours[camera] })));
    }
  }

  /** The joints that the motion was solved from: K x [x, y, z, confidence], or null. */
  setDots(rows) {
    this.dots.visible = Boolean(rows);
    if (!rows) return;
    const matrix = new THREE.Matrix4();
    const count = Math.min(rows.length / 4, 64);
    this.dots.count = count;
    this.dots.material.color.set(cssColour("--ink"));
    for (let j = 0; j < count; j += 1) {
      const size = Number.isFinite(rows[j * 4]) ? 1 : 0;
      matrix.makeScale(size, size, size).setPosition(rows[j * 4] || 0, rows[j * 4 + 1] || 0, rows[j * 4 + 2] || 0);
      this.dots.setMatrixAt(j, matrix);
    }
    this.dots.instanceMatrix.needsUpdate = true;
  }

  #placeLabels() {
    const several = this.figures.length > 1 && !this.stage.through;
    for (const figure of this.figures) figure.placeLabel(several);
    for (const { frustum, label } of this.frusta) {
      const at = this.stage.toScreen(...frustum.eye);
      label.hidden = !at || Boolean(this.stage.through);
      if (at) label.style.transform = `translate(${at[0]}px, ${at[1] - 4}px) translate(-50%, -100%)`;
    }
  }
}
