// The player of a report: the body over the floor, with everything on the page that belongs to a frame one click away.
import { CaptureScene } from "./capture_scene.js";
import { tick } from "./dom.js";
import { Extent } from "./extent.js";
import { Stage } from "./stage.js";
import { Timeline } from "./timeline.js";

export async function openReport(shell, source, manifest) {
  const player = new Player(shell, source, manifest);
  await player.begin();
}

class Player {
  constructor(shell, source, manifest) {
    Object.assign(this, { shell, manifest, frame: 0, state: { mannequin: false, follow: false }, arrays: new Map() });
    source.onerror = (error) => shell.fail(error);
    source.onchange = () => this.#draw();
    this.source = source;
    this.stage = new Stage(shell.stage, shell);
    this.scene = new CaptureScene(this.stage, manifest, source);
    this.timeline = new Timeline(shell.bottom, { onframe: (frame) => this.setFrame(frame), keys: shell.bottom.parentElement });
    const has = { mannequin: manifest.people.some((person) => person.mannequin), follow: true };
    for (const [name, label] of [["mannequin", "Mannequin"], ["follow", "Follow"]]) {
      if (has[name]) shell.bar.append(tick(label, false, (on) => this.#set(name, on)).node);
    }
    this.cursors = [];
  }

  async begin() {
    const { manifest, source } = this;
    const extent = new Extent();
    for (const [index, person] of manifest.people.entries()) {
      for (const name of Object.values(person.arrays)) {
        const [frames] = manifest.arrays[name].shape;
        this.arrays.set(name, await source.rows(name, 0, frames));
      }
      const world = this.arrays.get(person.arrays.world);
      extent.add(world);
      this.scene.figures[index].setPath(world, person.joints.length * 3);
    }
    this.#connect();
    this.timeline.setClip(manifest.frames, manifest.fps);
    extent.fit(this.stage, [0, 1.5, 100]); // about as the camera looked: towards -Z
    const mannequin = () => this.scene.figures.some((figure) => figure.mannequin?.object.visible);
    window.mocap3d = Object.freeze({ mannequin, player: () => ({ frame: this.frame, drawn: this.stage.drawn, playing: this.timeline.playing }) });
  }

  setFrame(frame) {
    this.frame = frame;
    for (const { line, x } of this.cursors) line.setAttribute("d", `M${x(frame)} 4V92`);
    this.#draw();
  }

  #set(name, on) {
    this.state[name] = on;
    this.#draw();
  }

  #draw() {
    const shot = this.manifest.shots.findIndex(({ stop }) => this.frame < stop);
    this.scene.figures.forEach((figure, index) => {
      const person = this.manifest.people[index];
      const local = this.frame - person.first;
      const row = (name) => {
        const rows = this.arrays.get(person.arrays[name]);
        const width = rows ? rows.length / person.frames : 0;
        return rows ? rows.subarray(local * width, (local + 1) * width) : null;
      };
      const there = local >= 0 && local < person.frames && (person.shot === shot || this.manifest.shots.length === 1);
      figure.show(local, there ? row("world") : null, there ? row("feet") : null, this.state);
    });
    const root = this.scene.figures.find(({ xyz }) => xyz)?.xyz;
    if (this.state.follow && root && Number.isFinite(root[0])) this.stage.follow([root[0], 0.9, root[2]]);
    this.stage.draw();
  }

  // Pictures and plots lead to their frame; a plot shows where the player is.
  #connect() {
    const { start, step } = this.manifest.video;
    for (const figure of document.querySelectorAll("[data-frame]")) {
      const go = () => {
        this.timeline.seek(Number(figure.dataset.frame) / step);
        document.getElementById("mocap3d-player").scrollIntoView({ block: "nearest" });
      };
      figure.tabIndex = 0;
      figure.setAttribute("role", "button");
      figure.addEventListener("click", go);
      figure.addEventListener("keydown", (event) => event.key === "Enter" && go());
    }
    for (const plot of document.querySelectorAll("svg[data-frames]")) {
      const { left, frames, start: first } = Object.fromEntries(Object.entries(plot.dataset).map(([key, value]) => [key, Number(value)]));
      const wide = plot.viewBox.baseVal.width;
      const line = document.createElementNS("http://www.w3.org/2000/svg", "path");
      line.setAttribute("class", "cursor");
      plot.append(line);
      const x = (frame) => left + ((frame * step + start - first) / Math.max(frames - 1, 1)) * (wide - left);
      this.cursors.push({ line, x: (frame) => Math.min(Math.max(x(frame), left), wide).toFixed(1) });
      plot.addEventListener("click", (event) => {
        const box = plot.getBoundingClientRect();
        const at = (((event.clientX - box.left) / box.width) * wide - left) / (wide - left);
        this.timeline.seek((Math.round(at * (frames - 1)) + first - start) / step);
      });
    }
  }
}
