// The page of a capture (the video beside the body), of a motion file, and of a camera file.
import { PictureView } from "./capture_pictures.js";
import { aboutPanel, ExportPanel, JointsPanel, QualityPanel } from "./capture_panels.js";
import { CaptureScene } from "./capture_scene.js";
import { choice, el, tick } from "./dom.js";
import { Extent } from "./extent.js";
import { corners, placeOf } from "./frusta.js";
import { openHelp } from "./help.js";
import { Rows } from "./source.js";
import { Stage } from "./stage.js";
import { Timeline } from "./timeline.js";

const AHEAD = 120; // frames: what is needed so soon is fetched now
const KEYS = [
  ["c, Shift+c", "next camera, the one before"],
  ["p", "next person"],
  ["v", "look through the camera, and back"],
  ["m", "mannequin or bones"],
  ["f", "follow the person"],
];

export async function openCapture(shell, source, manifest) {
  const page = new CapturePage(shell, source, manifest);
  await page.begin();
}

class CapturePage {
  constructor(shell, source, manifest) {
    Object.assign(this, { shell, source, manifest, frame: 0, joint: -1, extents: new Map() });
    this.state = { person: manifest.people.length > 1 ? "all" : "0", camera: "all", mannequin: false, follow: false, through: false, seen: true, body: true, dots: false };
    this.rows = new Rows(source, { onload: () => this.#redraw(), onerror: (error) => shell.fail(error) });
    const whole = new Map();
    this.rows.whole = (array, frames) => {
      if (!whole.has(array)) whole.set(array, wholeArray(source, array, frames));
      return whole.get(array);
    };
    source.onerror = (error) => shell.fail(error);
    source.onchange = () => this.#redraw();
    this.#layout();
    this.#controls();
    this.#panels();
    document.addEventListener("keydown", (event) => this.#key(event));
  }

  async begin() {
    const { manifest } = this;
    const first = Math.max(0, Math.min(...manifest.people.map((person) => person.first)) - manifest.start);
    this.timeline?.setClip(manifest.frames, manifest.fps, Number.isFinite(first) ? first : 0);
    await Promise.all(manifest.people.map((_, index) => this.#takeIn(index)));
    if (!manifest.people.length) for (const camera of manifest.cameras) this.#extent(0).add(placeOf(camera)).add(corners(camera, 0.5).flat());
    this.#redraw();
    this.home();
    this.#publish();
  }

  // The room that is taken in a shot, each of which has a world of its own.
  #extent(shot) {
    if (!this.extents.has(shot)) this.extents.set(shot, new Extent());
    return this.extents.get(shot);
  }

  // The room that somebody takes over the whole clip, and their way over the floor.
  async #takeIn(index) {
    const person = this.manifest.people[index];
    const rows = await this.rows.whole(person.arrays.world, person.frames);
    const width = person.joints.length * 3;
    const step = Math.max(1, Math.floor(person.frames / 2000));
    for (let t = 0; t < person.frames; t += step) this.#extent(person.shot).add(rows.subarray(t * width, (t + 1) * width));
    if (person.is_motion) this.scene.figures[index].setPath(rows.subarray(Math.max(0, person.parents.indexOf(-1)) * 3), width);
  }

  // --- parts of the page ---------------------------------------------------------------------------------------------

  #layout() {
    const { manifest, shell } = this;
    this.pictures = el("div", { class: "pictures" });
    this.sceneHost = el("div", { class: "stage" });
    this.panes = el("div", { class: "panes" });
    shell.stage.prepend(this.panes);
    if (manifest.kind === "capture") this.panes.append(this.pictures);
    this.panes.append(this.sceneHost);
    this.stage = new Stage(this.sceneHost, shell);
    this.scene = new CaptureScene(this.stage, manifest, this.source);
    this.options = el("div", { class: "options" });
    this.sceneHost.append(...[this.options, this.#legend()].filter(Boolean));
    this.views = [];
    if (manifest.people.length) {
      this.timeline = new Timeline(shell.bottom, { onframe: (frame) => this.setFrame(frame), wait: () => this.#waits() });
    } else {
      shell.bottom.hidden = true;
    }
    new ResizeObserver(() => this.#arrange()).observe(shell.stage);
  }

  #legend() {
    const { manifest } = this;
    if (!manifest.people.some((person) => person.sides.includes("left"))) return null;
    const parts = [["left", "left"], ["right", "right"]];
    if (manifest.people.some((person) => person.arrays.feet)) parts.push(["stands", "stands"]);
    return el("div", { class: "key", "aria-hidden": "true" }, parts.map(([name, text]) => el("span", { class: name }, text)));
  }

  #controls() {
    const { manifest, shell, state } = this;
    if (manifest.people.length > 1) {
      const people = [["all", "everybody"], ...manifest.people.map((person, n) => [String(n), person.label])];
      this.personChoice = choice("Person", people, state.person, (value) => this.setPerson(value));
      shell.bar.append(this.personChoice.node);
    }
    if (manifest.several) {
      const cameras = [["all", "all"], ...manifest.cameras.map((camera, c) => [String(c), camera.name])];
      this.cameraChoice = choice("Camera", cameras, state.camera, (value) => this.setCamera(value));
      shell.bar.append(this.cameraChoice.node);
    }
    this.ticks = {};
    const offer = (host, offered) => {
      for (const [name, label, there] of offered) {
        if (!there) continue;
        const { node, box } = tick(label, state[name], (on) => this.set(name, on));
        this.ticks[name] = box;
        host.append(node);
      }
    };
    const pictured = manifest.kind === "capture";
    offer(shell.bar, [["seen", "2D joints", pictured], ["body", "Body in the picture", pictured]]);
    offer(this.options, [
      ["mannequin", "Mannequin", manifest.people.some((person) => person.mannequin)],
      ["follow", "Follow", manifest.people.length],
      ["through", "Through the camera", manifest.cameras.length],
      ["dots", "Joints before solving", pictured],
    ]);
    if (manifest.kind === "rig") this.#rigCameraChoice();
    const label = "Keys and terms (?)";
    shell.bar.after(el("button", { class: "icon", "aria-label": label, "data-tip": label, onclick: () => this.#help() }, "?"));
  }

  #rigCameraChoice() {
    const { manifest, shell } = this;
    this.state.camera = "0";
    this.cameraChoice = choice("Camera", manifest.cameras.map((camera, c) => [String(c), camera.name]), "0", (value) => this.setCamera(value));
    shell.bar.prepend(this.cameraChoice.node);
  }

  #panels() {
    const { manifest, shell, source } = this;
    const pages = [];
    if (manifest.people.length) {
      this.quality = new QualityPanel(shell, manifest, this.rows, (frame) => this.timeline.seek(frame));
      pages.push(["Quality", this.quality.node]);
    }
    if (manifest.several) {
      this.joints = new JointsPanel(manifest, (joint) => {
        this.joint = joint;
        this.#redraw();
      });
      pages.push(["Joints", this.joints.node]);
    }
    if (manifest.downloads) {
      this.exports = new ExportPanel(manifest, source);
      pages.push(["Export", this.exports.node]);
    }
    pages.push(["About", aboutPanel(manifest)]);
    this.openTab = shell.tabs(pages);
    this.setPerson(this.state.person);
    this.setCamera(this.state.camera);
  }

  // --- what is shown -------------------------------------------------------------------------------------------------

  set(name, on) {
    this.state[name] = on;
    if (this.ticks[name]) this.ticks[name].checked = on;
    if (name === "through") this.#through();
    this.#redraw();
  }

  setPerson(value) {
    this.state.person = value;
    if (this.personChoice) this.personChoice.select.value = value;
    const indices = value === "all" ? this.manifest.people.map((_, n) => n) : [Number(value)];
    if (!this.manifest.people.length) return;
    this.quality.setPeople(indices).catch((error) => this.shell.fail(error));
    this.joints?.setPerson(this.manifest.people[indices[0]]);
    this.exports.setPerson(indices[0]);
    this.#redraw();
  }

  setCamera(value) {
    this.state.camera = value;
    if (this.cameraChoice) this.cameraChoice.select.value = value;
    this.#openPictures();
    this.#through();
    this.#redraw();
  }

  setFrame(frame) {
    this.frame = frame;
    this.#ofShot();
    for (const view of this.views) view.show(frame + this.manifest.start, this.timeline.playing);
    this.manifest.people.forEach((person, index) => Object.keys(person.arrays).forEach((name) => this.rowOf(index, name, frame + AHEAD)));
    this.#redrawBody();
  }

  /** Whether a picture or a row is on its way: playing holds until it is there. */
  #waits() {
    const here = this.frame + this.manifest.start;
    const missing = ({ first, frames }, index) => here >= first && here < first + frames && !this.rowOf(index, "world");
    return this.views.some((view) => view.pending) || this.manifest.people.some(missing);
  }

  /** The eye to where everybody can be seen all the time, from where the camera stood, a little higher and aside. */
  home() {
    if (this.state.through) return;
    const camera = this.manifest.cameras[this.#cameraNumbers()[0]];
    this.#extent(this.shot ?? 0).fit(this.stage, this.manifest.kind === "capture" ? placeOf(camera) : null);
  }

  // --- drawing -------------------------------------------------------------------------------------------------------

  #redraw() {
    if (!this.stage) return;
    this.#redrawBody();
    for (const view of this.views) view.draw();
  }

  #redrawBody() {
    this.#place();
    this.quality?.setFrame(this.frame);
    this.stage.draw();
  }

  /** The row of an array of a person at a frame of the timeline; null if they are not there, or it is on its way. */
  rowOf(index, name, frame = this.frame) {
    const person = this.manifest.people[index];
    const array = person.arrays[name];
    if (!array) return null;
    return this.rows.at(array, this.manifest.arrays[array].shape, frame + this.manifest.start - person.first);
  }

  /** The person whose joints are examined. */
  #focus() {
    return this.state.person === "all" ? 0 : Number(this.state.person);
  }

  #isShown(index) {
    return this.state.person === "all" || this.state.person === String(index);
  }

  #place() {
    const { manifest, scene, state } = this;
    scene.figures.forEach((figure, index) => {
      const xyz = this.#isShown(index) ? this.rowOf(index, "world") : null;
      figure.show(this.frame + manifest.start - manifest.people[index].first, xyz, this.rowOf(index, "feet"), state);
    });
    const focus = this.#focus();
    scene.setDots(state.dots && manifest.people.length ? this.rowOf(focus, "lifted") : null);
    scene.setRays(this.joint >= 0 ? this.#rays(focus) : []);
    this.joints?.setFrame((name) => this.rowOf(focus, name));
    const root = scene.figures[focus]?.xyz;
    if (state.follow && !state.through && root && Number.isFinite(root[0])) this.stage.follow([root[0], 0.9, root[2]]);
  }

  #rays(focus) {
    const person = this.manifest.people[focus];
    const k = person.lifted.joints.indexOf(person.seen.joints[this.joint]);
    const lifted = this.rowOf(focus, "lifted");
    if (k < 0 || !lifted || !Number.isFinite(lifted[k * 4])) return [];
    const to = [...lifted.subarray(k * 4, k * 4 + 3)];
    return this.manifest.cameras.flatMap((_, camera) => {
      const rays = this.rowOf(focus, `rays.${camera}`);
      if (!rays || !Number.isFinite(rays[this.joint * 3])) return [];
      return [{ camera, direction: [...rays.subarray(this.joint * 3, this.joint * 3 + 3)], to }];
    });
  }

  // --- cameras and pictures ------------------------------------------------------------------------------------------

  // Of one camera each shot has its own place; which shot it is, the frame says.
  #ofShot() {
    const { shots = [], start, several } = this.manifest;
    if (several || shots.length < 2) return;
    const now = shots.findIndex((shot) => this.frame + start < shot.stop);
    const shot = now < 0 ? shots.length - 1 : now;
    if (shot === this.shot) return;
    this.shot = shot;
    this.#openPictures();
    this.#through();
    this.#place();
    this.home();
  }

  #cameraNumbers() {
    const { manifest, state } = this;
    if (!manifest.several && manifest.kind === "capture") return [this.shot ?? 0];
    return state.camera === "all" ? manifest.cameras.map((_, c) => c) : [Number(state.camera)];
  }

  #openPictures() {
    const { manifest } = this;
    const numbers = this.#cameraNumbers();
    this.scene.setCameras(manifest.kind === "capture" && !manifest.several ? numbers : manifest.cameras.map((_, c) => c));
    if (manifest.kind !== "capture") return;
    for (const view of this.views) view.node.remove();
    this.views = numbers.map((c) => new PictureView(this.pictures, {
      camera: manifest.cameras[c],
      cameras: numbers.length,
      url: (frame) => this.source.picture(manifest.cameras[c].pictures, frame),
      look: (frame) => this.#peopleIn(c, frame - manifest.start),
      onload: () => this.#publish(),
      onjoint: this.joints ? (person, joint) => this.#chooseJoint(person, joint) : null,
    }));
    for (const view of this.views) view.show(this.frame + manifest.start, false);
    this.#arrange();
  }

  #peopleIn(camera, frame) {
    const { manifest, state } = this;
    return manifest.people.flatMap((person, index) => {
      if (!this.#isShown(index)) return [];
      const seen = state.seen ? this.rowOf(index, `seen.${camera}`, frame) : null;
      const shown = state.body ? this.rowOf(index, `shown.${camera}`, frame) : null;
      const chosen = index === this.#focus() ? this.joint : -1;
      return [{ person: index, seen, shown, seenFacts: person.seen, parents: person.parents, sides: person.sides, chosen }];
    });
  }

  // A joint was clicked in a picture: its rays, its residuals, of that person.
  #chooseJoint(person, joint) {
    if (person !== this.#focus()) this.setPerson(String(person));
    this.openTab("Joints");
    this.joints.choose(joint);
  }

  // Pictures above the stage or beside it, whichever shows them larger.
  #arrange() {
    const { width, height } = this.shell.stage.getBoundingClientRect();
    const several = this.manifest.kind === "capture" && this.views.length;
    if (!several || !width) return;
    const across = this.views.reduce((sum, view) => sum + view.camera.size_wh_px[0] / view.camera.size_wh_px[1], 0);
    const stacked = Math.min(width / across, height / 2) > Math.min(width / 2 / across, height);
    this.panes.classList.toggle("stacked", stacked);
    this.panes.classList.toggle("beside", !stacked);
  }

  #through() {
    const [number] = this.#cameraNumbers();
    this.stage.lookThrough(this.state.through ? (this.manifest.cameras[number] ?? null) : null);
    if (!this.state.through) this.stage.draw();
  }

  // --- keys, and what tests may look at ------------------------------------------------------------------------------

  #help() {
    const { people, words } = this.manifest;
    const labels = new Map(people.flatMap((person) => person.figures.map(({ name, label }) => [name, label])));
    openHelp(KEYS, [...labels].map(([name, label]) => `${label}: ${words[name]}`));
  }

  #key(event) {
    if (event.ctrlKey || event.altKey || event.metaKey || document.querySelector("dialog[open]")) return;
    if (event.target.matches?.("input[type=number], select")) return;
    const { cameras } = this.manifest;
    const turn = ({ select }, by) => {
      const { options, selectedIndex } = select;
      return options[(selectedIndex + by + options.length) % options.length].value;
    };
    const actions = {
      c: () => this.cameraChoice && this.setCamera(turn(this.cameraChoice, 1)),
      C: () => this.cameraChoice && this.setCamera(turn(this.cameraChoice, -1)),
      p: () => this.personChoice && this.setPerson(turn(this.personChoice, 1)),
      v: () => cameras.length && this.set("through", !this.state.through),
      m: () => "mannequin" in this.ticks && this.set("mannequin", !this.state.mannequin),
      "?": () => this.#help(),
      f: () => "follow" in this.ticks && this.set("follow", !this.state.follow),
    };
    if (!(event.key in actions)) return;
    event.preventDefault();
    actions[event.key]();
  }

  #publish() {
    const page = this;
    window.mocap3d = Object.freeze({
      get state() {
        return { ...page.state, frame: page.frame, joint: page.joint, playing: page.timeline?.playing ?? false, drawn: page.stage.drawn };
      },
      pictures: () => this.views.map((view) => ({ name: view.camera.name, frame: view.frame, pending: view.pending, image: Boolean(view.image), box: view.box() })),
      place: (person, joint) => {
        const { xyz } = this.scene.figures[person];
        return xyz && this.stage.toScreen(...xyz.subarray(joint * 3, joint * 3 + 3));
      },
      rays: () => this.scene.rays.children.map((line) => [...line.geometry.attributes.position.array]),
      rings: (person) => this.scene.figures[person].rings.map((ring) => (ring.visible ? ring.position.toArray() : null)),
      mannequin: (person) => Boolean(this.scene.figures[person].mannequin?.object.visible),
      frusta: () => this.scene.frusta.map(({ frustum }) => [...frustum.geometry.attributes.position.array]),
      bone: (person, name) => this.scene.figures[person].mannequin.object.getObjectByName(name).matrixWorld.elements.slice(12, 15),
    });
  }
}

async function wholeArray(source, array, frames) {
  const parts = [];
  for (let from = 0; from < frames; from += 5000) parts.push(await source.rows(array, from, Math.min(frames, from + 5000)));
  const whole = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
