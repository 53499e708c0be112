// The three.js scene: floor, light, orbit by mouse and keyboard, a look through a camera. Draws only when asked.
import * as THREE from "three";
import { OrbitControls } from "three/addons/controls/OrbitControls.js";
import { el } from "./dom.js";
import { cssColour } from "./theme.js";

const FLOOR_M = 10;

export class Stage {
  /** host: an element that gives the size; shell: tells of dark and light. */
  constructor(host, shell) {
    this.host = host;
    this.canvas = el("canvas", { class: "scene", tabindex: "0", "aria-label": "3D view. Drag or use Shift and the arrow keys to turn, + and - to come nearer." });
    this.overlay = el("canvas", { class: "overlay", "aria-hidden": "true" });
    this.labels = el("div", { class: "labels", "aria-hidden": "true" });
    host.prepend(this.canvas, this.overlay, this.labels);
    this.renderer = new THREE.WebGLRenderer({ canvas: this.canvas, alpha: false, antialias: hasGraphicsCard() });
    this.renderer.setPixelRatio(Math.min(devicePixelRatio, 2));
    this.scene = new THREE.Scene();
    this.scene.add(new THREE.HemisphereLight("#ffffff", "#8d8d99", 2.4));
    const sun = new THREE.DirectionalLight("#ffffff", 1.6);
    sun.position.set(2, 6, 3);
    this.scene.add(sun);
    this.camera = new THREE.PerspectiveCamera(45, 1, 0.05, 200);
    this.controls = new OrbitControls(this.camera, this.canvas);
    this.controls.addEventListener("change", () => this.draw());
    this.through = null; // the camera that is looked through
    this.beforeDraw = []; // called with the stage before each picture
    this.afterDraw = [];
    this.drawn = 0; // pictures so far
    this.frameOn([0, 0.9, 0], 2.4);
    this.canvas.addEventListener("keydown", (event) => this.#key(event));
    new ResizeObserver(() => this.#resize()).observe(host);
    shell.onTheme(() => this.#theme());
  }

  /** Ask for a picture; however often it is asked for, one is drawn per screen refresh. */
  draw() {
    if (this.asked) return;
    this.asked = true;
    requestAnimationFrame(() => {
      this.asked = false;
      this.#picture();
    });
  }

  /** Orbit around a point, so that something of a size (metres) fills the picture. */
  frameOn(target, size) {
    this.controls.target.set(...target);
    this.camera.position.set(target[0] + size * 0.75, target[1] + size * 0.35, target[2] + size * 1.2);
    this.controls.update();
  }

  /** Move the centre of orbit, and the eye with it. */
  follow(target) {
    const to = new THREE.Vector3(...target);
    this.camera.position.add(to.clone().sub(this.controls.target));
    this.controls.target.copy(to);
    this.controls.update();
  }

  /**
   * Look through a camera of the scene, or null to orbit again.
   * camera: { K: 3x3 rows, size_wh_px, world_from_cam: 4x4 rows }; its lens is taken as straight.
   */
  lookThrough(camera) {
    if (camera && !this.through) this.eye = this.camera.position.clone();
    this.through = camera;
    this.controls.enabled = !camera;
    if (!camera) {
      if (this.eye) this.camera.position.copy(this.eye); // where it was before
      this.eye = null;
      this.camera.updateProjectionMatrix();
      this.controls.update();
    }
    this.draw();
  }

  /** The picture of the camera that is looked through, in CSS pixels of the stage: { x, y, scale }. */
  pictureBox() {
    const [width, height] = this.through.size_wh_px;
    const scale = Math.min(this.size[0] / width, this.size[1] / height);
    return { scale, x: (this.size[0] - width * scale) / 2, y: (this.size[1] - height * scale) / 2 };
  }

  /** A point of the scene in CSS pixels of the stage, or null behind the eye. */
  toScreen(x, y, z) {
    const point = new THREE.Vector3(x, y, z).project(this.camera);
    if (point.z > 1 || point.z < -1) return null;
    return [((point.x + 1) / 2) * this.size[0], ((1 - point.y) / 2) * this.size[1]];
  }

  #picture() {
    if (!this.size) return;
    if (this.through) this.#placeThrough();
    for (const callback of this.beforeDraw) callback(this);
    this.renderer.render(this.scene, this.camera);
    this.drawn += 1;
    for (const callback of this.afterDraw) callback(this);
  }

  // The eye at the camera's place, and the projection of its K widened to the whole stage.
  #placeThrough() {
    const { K, world_from_cam } = this.through;
    const { x, y, scale } = this.pictureBox();
    const [near, far] = [0.05, 200];
    const left = ((-x / scale - 0.5 - K[0][2]) / K[0][0]) * near;
    const right = (((this.size[0] - x) / scale - 0.5 - K[0][2]) / K[0][0]) * near;
    const top = (-(-y / scale - 0.5 - K[1][2]) / K[1][1]) * near;
    const bottom = (-((this.size[1] - y) / scale - 0.5 - K[1][2]) / K[1][1]) * near;
    this.camera.projectionMatrix.makePerspective(left, right, top, bottom, near, far);
    this.camera.projectionMatrixInverse.copy(this.camera.projectionMatrix).invert();
    const pose = new THREE.Matrix4().set(...world_from_cam.flat());
    pose.multiply(new THREE.Matrix4().makeScale(1, -1, -1)); // OpenCV's axes to those of OpenGL
    pose.decompose(this.camera.position, this.camera.quaternion, new THREE.Vector3());
    this.camera.updateMatrixWorld();
  }

  #resize() {
    const { width, height } = this.host.getBoundingClientRect();
    if (!width || !height) return;
    this.size = [width, height];
    this.renderer.setSize(width, height, false);
    const ratio = this.renderer.getPixelRatio();
    this.overlay.width = Math.round(width * ratio);
    this.overlay.height = Math.round(height * ratio);
    this.camera.aspect = width / height;
    if (!this.through) this.camera.updateProjectionMatrix();
    this.#picture(); // at once: a resized canvas is empty
  }

  #theme() {
    this.scene.background = new THREE.Color(cssColour("--stage"));
    if (this.floor) this.scene.remove(this.floor);
    this.floor = new THREE.GridHelper(FLOOR_M, FLOOR_M * 2, cssColour("--grid-strong"), cssColour("--grid"));
    this.scene.add(this.floor);
    this.draw();
  }

  #key(event) {
    const turn = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    const zoom = { "+": 0.9, "=": 0.9, "-": 1 / 0.9 }[event.key];
    if (this.through || !((turn && event.shiftKey) || zoom)) return;
    event.preventDefault();
    event.stopPropagation();
    const offset = new THREE.Spherical().setFromVector3(this.camera.position.clone().sub(this.controls.target));
    if (turn) {
      offset.theta += turn[0] * 0.1;
      offset.phi += turn[1] * 0.1;
    } else {
      offset.radius *= zoom;
    }
    offset.makeSafe();
    this.camera.position.setFromSpherical(offset).add(this.controls.target);
    this.controls.update();
    this.draw();
  }
}

// Smooth edges cost half of the pictures where the processor draws.
function hasGraphicsCard() {
  const probe = document.createElement("canvas").getContext("webgl2", { failIfMajorPerformanceCaveat: true });
  probe?.getExtension("WEBGL_lose_context")?.loseContext();
  return probe !== null;
}
