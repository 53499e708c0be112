// The page of results: truth and predictions of several models, their errors over time, by joint and by action.
import { CameraPicture } from "./camera_picture.js";
import { choice, el, fill, fixed, tick } from "./dom.js";
import { openHelp } from "./help.js";
import { Plot } from "./plot.js";
import { ActionsPanel } from "./results_actions.js";
import { JointsPanel, Legend, WorstPanel } from "./results_panels.js";
import { ResultsScene } from "./results_scene.js";
import { expose } from "./results_state.js";
import { Rows } from "./source.js";
import { Stage } from "./stage.js";
import { MODELS } from "./theme.js";
import { Timeline } from "./timeline.js";
import { WORDS } from "./words.js";

const NOTES = 3; // that are shown
const KEYS = [
  ["c, Shift+c", "next camera, the one before"],
  ["v", "look through the camera, and back"],
  ["]  [", "next sequence, the one before"],
  ["w", "next of the worst frames"],
  ["o", "overlaid or side by side"],
  ["r", "in the room or root-aligned"],
  ["t", "trails"],
  ["1, 2 ...", "show or hide a model"],
];

export async function openResults(shell, source, manifest) {
  const page = new ResultsPage(shell, source, manifest);
  await page.openTake(page.firstTake());
}

class ResultsPage {
  constructor(shell, source, manifest) {
    Object.assign(this, { shell, source, manifest });
    const models = manifest.models.map((name, number) => ({ number, name, colour: MODELS[number % MODELS.length] }));
    this.models = models;
    this.state = {
      take: 0, camera: 0, frame: 0, focus: 0, joint: -1, metric: 0, layout: "over", place: "world",
      colour: "error", trails: false, follow: true, picture: true, through: false, truth: true, hidden: new Set(),
    };
    if (!models.length) this.state.colour = "sides"; // there are no errors
    this.rows = new Rows(source, { onload: () => this.draw(), onerror: (error, array) => this.#failed(error, array) });
    this.stage = new Stage(shell.stage, shell);
    this.scene = new ResultsScene(this.stage, this);
    this.picture = new CameraPicture(shell.stage, this.stage, shell);
    this.legend = new Legend(this);
    this.joints = new JointsPanel(this);
    this.worst = new WorstPanel(this);
    this.actions = new ActionsPanel(this);
    this.#controls();
    this.openTab = shell.tabs([["Joints", this.joints.node], ["Worst", this.worst.node], ["Actions", this.actions.node]]);
    shell.side.prepend(this.legend.node);
    this.plot = new Plot(shell.bottom, shell, { label: "Error over time", unit: "mm", onpick: (frame) => this.timeline.seek(frame) });
    this.plot.host.prepend(this.metric.node);
    this.timeline = new Timeline(shell.bottom, { onframe: (frame) => this.#onframe(frame), wait: (frame) => !this.#isThere(frame) });
    document.addEventListener("keydown", (event) => this.#key(event));
    shell.onTheme(() => this.draw());
    const { notes } = manifest;
    const told = notes.length > NOTES ? [...notes.slice(0, NOTES), `… and ${notes.length - NOTES} more like these`] : notes;
    if (notes.length) shell.stage.append(el("ul", { class: "notes" }, told.map((note) => el("li", {}, note))));
    expose(this);
  }

  /** The first take that some model predicted, else the first. */
  firstTake() {
    return Math.max(0, this.manifest.takes.findIndex((take) => Object.keys(take.found).length));
  }

  get take() {
    return this.manifest.takes[this.state.take];
  }

  get cameras() {
    return this.manifest.cameras[this.take.subject];
  }

  get skeleton() {
    return this.manifest.skeletons[this.take.skeleton];
  }

  /** The models that predicted this take through this camera, and are shown. */
  shownModels() {
    return this.predicted().filter((model) => !this.state.hidden.has(model.number));
  }

  predicted() {
    return this.models.filter(({ number }) => this.take.found[number]?.includes(this.state.camera));
  }

  /** One frame of one of the take's arrays, or null while it is on its way. kind: "found", "errors", ... */
  frameOf(kind, model = null, frame = this.state.frame) {
    return this.rows.at(...this.#array(kind, model), frame);
  }

  #array(kind, model) {
    const { take, camera } = this.state;
    const joints = this.skeleton.joints.length;
    const frames = this.take.frames;
    const of = { truth: [take], found: [take, model, camera], errors: [take, model, camera], true_px: [take, camera], found_px: [take, model, camera] };
    const width = { truth: [joints, 3], found: [joints, 3], errors: [2 + joints], true_px: [joints, 2], found_px: [joints, 2] };
    if (kind === "seen") return [`seen.${take}.${camera}.${this.view.number}`, [frames, this.view.joints.length, 2]];
    return [[kind, ...of[kind]].join("."), [frames, ...width[kind]]];
  }

  /** What a picture of a frame needs: [kind, model]. */
  #needed() {
    const wanted = [["truth", null]];
    const camera = this.cameras.length > 0;
    if (camera) wanted.push(["true_px", null]);
    if (camera && this.view) wanted.push(["seen", null]);
    for (const { number } of this.shownModels()) wanted.push(["found", number], ["errors", number], ["found_px", number]);
    return wanted;
  }

  #isThere(frame) {
    return this.#needed().every(([kind, model]) => this.frameOf(kind, model, frame));
  }

  async openTake(number, { camera = null, frame = 0 } = {}) {
    const { state } = this;
    const subject = this.take.subject;
    const keptCamera = this.cameras[state.camera]?.name;
    state.take = number;
    this.shell.say("");
    this.rows.forget();
    this.timeline.pause();
    const same = this.cameras.findIndex(({ name }) => name === keptCamera);
    const predicted = Object.values(this.take.found).flat();
    state.camera = camera ?? (same >= 0 && (predicted.includes(same) || !predicted.length) ? same : (predicted[0] ?? 0));
    this.views = {};
    this.view = null;
    this.scene.setTake();
    this.#fillChoices(subject);
    this.timeline.setClip(this.take.frames, this.take.fps, frame);
    this.#openCamera();
    const { views } = await this.source.table(`take.${number}`);
    if (state.take !== number) return;
    this.views = views;
    this.#chooseView();
    this.draw();
  }

  setCamera(number) {
    if (!(number in this.cameras)) return;
    this.state.camera = number;
    this.rows.forget();
    this.#chooseView();
    this.#openCamera();
  }

  goTo(take, camera, frame) {
    this.timeline.pause();
    if (take !== this.state.take) this.openTake(take, { camera, frame });
    else {
      if (camera !== this.state.camera) this.setCamera(camera);
      this.timeline.seek(frame);
    }
  }

  setFocus(number) {
    this.state.focus = number;
    this.state.hidden.delete(number);
    this.#changed();
  }

  setShown(number, shown) {
    if (shown) this.state.hidden.delete(number);
    else this.state.hidden.add(number);
    this.#changed();
  }

  setJoint(joint) {
    this.state.joint = this.state.joint === joint ? -1 : joint;
    this.draw();
  }

  setMetric(metric) {
    this.state.metric = metric;
    this.metric.select.value = String(metric);
    this.#plotErrors();
  }

  set(name, value) {
    this.state[name] = value;
    this.options[name].show(value);
    if (name === "through") this.scene.lookThrough();
    if (name === "layout") this.scene.reframe();
    if (name === "colour") this.legend.build();
    this.draw();
  }

  draw() {
    if (this.stage && this.options) this.stage.draw();
  }

  /** Scores of everything, judged in the background: ask until all is there. */
  async #pollScores() {
    for (;;) {
      let scores;
      try {
        scores = await this.source.table("scores");
      } catch (error) {
        this.shell.fail(error);
        return;
      }
      this.scores = scores;
      this.worst.update(scores);
      this.actions.update(scores);
      if (scores.done >= scores.total) return;
      await new Promise((resolve) => setTimeout(resolve, 700));
    }
  }

  // A model whose numbers are damaged is hidden; the others stay.
  #failed(error, array) {
    const [kind, , model] = array.split(".");
    this.shell.fail(error);
    if (["found", "errors", "found_px"].includes(kind)) this.setShown(Number(model), false);
  }

  #onframe(frame) {
    this.state.frame = frame;
    for (const [kind, model] of this.#needed()) this.rows.ready(...this.#array(kind, model), frame);
    this.plot.setFrame(frame);
    this.draw();
  }

  // Another camera means other predictions: other numbers everywhere.
  #openCamera() {
    const { state } = this;
    this.cameraChoice.select.value = String(state.camera);
    const predicted = this.predicted();
    if (predicted.length && !predicted.some(({ number }) => number === state.focus)) state.focus = predicted[0].number;
    this.scene.setCamera();
    this.#changed();
  }

  #changed() {
    this.legend.build();
    this.joints.build();
    this.worst.update(this.scores);
    this.actions.update(this.scores);
    this.scene.setModels();
    this.behind = true;
    this.#onframe(this.state.frame);
  }

  /** A picture with everything on it was drawn: time for what it did not need. */
  onPicture() {
    if (!this.behind) return;
    this.behind = false;
    setTimeout(() => {
      this.#plotErrors();
      this.#scoreTake();
      if (!this.scores) this.#pollScores();
    });
  }

  async #scoreTake() {
    const { take, camera } = this.state;
    this.takeScores = {};
    for (const { number } of this.shownModels()) {
      try {
        const scores = await this.source.table(`scores.${take}.${number}.${camera}`);
        if (take !== this.state.take || camera !== this.state.camera) return;
        this.takeScores[number] = scores;
        this.draw();
      } catch (error) {
        this.shell.say(error.message);
      }
    }
  }

  #plotErrors() {
    const frames = this.take.frames;
    const generation = (this.plotted = (this.plotted ?? 0) + 1);
    const { metric } = this.state;
    this.plot.setClip(frames, this.take.fps);
    const series = this.shownModels().map(({ name, colour, number }) => ({ name, colour, number, values: new Float32Array(frames).fill(NaN) }));
    this.plot.setSeries(series);
    for (const { number, values } of series) {
      const [array, shape] = this.#array("errors", number);
      this.rows
        .stream(array, shape, (rows, from, to) => {
          if (generation !== this.plotted) return;
          for (let t = from; t < to; t += 1) values[t] = rows[(t - from) * shape[1] + metric];
          this.plot.setSeries(series);
        })
        .catch((error) => this.shell.fail(error));
    }
  }

  #chooseView(number = 0) {
    const listed = this.views[this.state.camera] ?? [];
    this.view = listed.length ? { ...listed[number], number } : null;
    this.viewChoice.node.hidden = listed.length < 2;
    fill(this.viewChoice.select, listed.map(({ detector }, k) => [String(k), detector]), String(number));
    this.#onframe(this.state.frame);
  }

  #controls() {
    const subjects = Object.keys(Object.groupBy(this.manifest.takes, (take) => take.subject));
    this.subjectChoice = choice("Subject", subjects.map((name) => [name, name]), subjects[0], (subject) => {
      this.openTake(this.manifest.takes.findIndex((take) => take.subject === subject));
    });
    this.actionChoice = choice("Action", [], "", (number) => this.openTake(Number(number)));
    this.cameraChoice = choice("Camera", [], "", (number) => this.setCamera(Number(number)));
    this.viewChoice = choice("2D joints by", [], "", (number) => this.#chooseView(Number(number)));
    this.viewChoice.node.hidden = true;
    const help = el("button", { class: "icon", "aria-label": "Keys and terms (?)", "data-tip": "Keys and terms (?)", onclick: () => openHelp(KEYS, Object.values(WORDS)) }, "?");
    this.shell.bar.append(this.subjectChoice.node, this.actionChoice.node, this.cameraChoice.node, this.viewChoice.node);
    this.shell.bar.after(help);
    this.#options();
    const joints = this.skeleton.joints.map((joint, j) => [String(j + 2), joint.replaceAll("_", " ")]);
    this.metric = choice("Error over time", [["0", "all joints (MPJPE)"], ["1", "after alignment (P-MPJPE)"], ...joints], "0", (value) => this.setMetric(Number(value)));
    this.metric.node.classList.add("metric");
  }

  // How it is drawn: over the stage.
  #options() {
    const select = (name, label, values) => {
      const made = choice(label, values, this.state[name], (value) => this.set(name, value));
      return [name, { node: made.node, show: (value) => (made.select.value = value) }];
    };
    const check = (name, label) => {
      const made = tick(label, this.state[name], (value) => this.set(name, value));
      return [name, { node: made.node, show: (value) => (made.box.checked = value) }];
    };
    this.options = Object.fromEntries([
      select("layout", "Bodies", [["over", "overlaid"], ["side", "side by side"]]),
      select("place", "Place", [["world", "in the room"], ["root", "root-aligned"]]),
      select("colour", "Colour", [["error", "by error"], ["model", "by model"], ["sides", "left and right"]]),
      check("trails", "Trails"),
      check("follow", "Follow"),
      check("picture", "Picture"),
      check("through", "Through the camera"),
    ]);
    const nodes = Object.values(this.options).map(({ node }) => node);
    this.shell.stage.append(el("div", { class: "options", role: "toolbar", "aria-label": "How it is drawn" }, nodes));
  }

  #fillChoices() {
    const { takes } = this.manifest;
    const own = takes.flatMap((take, number) => (take.subject === this.take.subject ? [[String(number), take.action]] : []));
    fill(this.actionChoice.select, own, String(this.state.take));
    this.subjectChoice.select.value = this.take.subject;
    this.cameraChoice.node.hidden = !this.cameras.length;
    fill(this.cameraChoice.select, this.cameras.map(({ name }, number) => [String(number), name]), String(this.state.camera));
  }

  #key(event) {
    if (event.ctrlKey || event.altKey || event.metaKey || document.querySelector("dialog[open]")) return;
    if (event.target.matches?.("input[type=number], select")) return;
    const { state } = this;
    const count = this.cameras.length;
    const turn = (by) => this.setCamera((state.camera + by + count) % count);
    const takes = this.manifest.takes.length;
    const actions = {
      c: () => turn(1),
      C: () => turn(-1),
      v: () => this.set("through", !state.through && count > 0),
      "]": () => this.openTake((state.take + 1) % takes),
      "[": () => this.openTake((state.take - 1 + takes) % takes),
      w: () => this.worst.next(),
      o: () => this.set("layout", state.layout === "over" ? "side" : "over"),
      r: () => this.set("place", state.place === "world" ? "root" : "world"),
      t: () => this.set("trails", !state.trails),
      "?": () => openHelp(KEYS, Object.values(WORDS)),
    };
    const model = this.models[Number(event.key) - 1];
    if (model) this.setShown(model.number, state.hidden.has(model.number));
    else if (event.key in actions) actions[event.key]();
    else return;
    event.preventDefault();
  }
}
