// Play, scrub, speed, single frames, and the keys for them.
import { choice, el } from "./dom.js";

const SPEEDS = [0.1, 0.25, 0.5, 1, 2, 4];

export class Timeline {
  /**
   * onframe(frame) after every change; wait() may say that data is missing, then playing holds.
   * keys: where keys are listened for; a page that scrolls keeps its own outside of the player.
   */
  constructor(host, { onframe, wait = () => false, keys = document }) {
    Object.assign(this, { frame: 0, frames: 1, fps: 25, speed: 1, playing: false, onframe, wait });
    this.playButton = this.#button("Play (Space)", "▶", () => this.toggle());
    this.playButton.classList.add("play");
    this.slider = el("input", { type: "range", class: "scrub", min: 0, max: 0, value: 0, step: 1, "aria-label": "Frame", oninput: () => this.seek(Number(this.slider.value)) });
    this.clock = el("output", { class: "clock" });
    this.number = el("input", { type: "number", class: "frame", min: 0, value: 0, "aria-label": "Frame number", onchange: () => this.seek(Number(this.number.value)), onkeydown: (event) => event.key === "Enter" && this.number.blur() });
    const speeds = choice("Speed", SPEEDS.map((speed) => [String(speed), `${speed}×`]), "1", (speed) => this.setSpeed(Number(speed)));
    this.speedSelect = speeds.select;
    host.append(
      el("div", { class: "timeline" },
        this.#button("First frame (Home)", "|‹", () => this.seek(0)),
        this.#button("One frame back (←)", "‹", () => this.step(-1)),
        this.playButton,
        this.#button("One frame on (→)", "›", () => this.step(1)),
        this.#button("Last frame (End)", "›|", () => this.seek(this.frames - 1)),
        this.slider, el("label", { class: "choice" }, el("span", {}, "Frame"), this.number), this.clock, speeds.node,
      ),
    );
    keys.addEventListener("keydown", (event) => this.#key(event));
  }

  /** Another sequence, from its first frame (or another one). */
  setClip(frames, fps, frame = 0) {
    Object.assign(this, { frames, fps });
    this.slider.max = this.number.max = frames - 1;
    this.seek(frame);
  }

  seek(frame) {
    if (!Number.isFinite(frame)) return;
    this.frame = Math.min(Math.max(Math.round(frame), 0), this.frames - 1);
    this.position = this.frame;
    this.#show();
    this.onframe(this.frame);
  }

  step(by) {
    this.pause();
    this.seek(this.frame + by);
  }

  setSpeed(speed) {
    this.speed = speed;
    this.speedSelect.value = String(speed);
  }

  toggle() {
    if (this.playing) this.pause();
    else this.play();
  }

  play() {
    if (this.frame === this.frames - 1) this.seek(0);
    this.playing = true;
    this.position = this.frame;
    this.last = null;
    this.#show();
    requestAnimationFrame((now) => this.#tick(now));
  }

  pause() {
    this.playing = false;
    this.#show();
  }

  #tick(now) {
    if (!this.playing) return;
    const elapsed = this.last === null ? 0 : Math.min((now - this.last) / 1000, 0.25);
    this.last = now;
    if (!this.wait(this.frame)) this.position += elapsed * this.fps * this.speed;
    const frame = Math.min(Math.floor(this.position), this.frames - 1);
    if (frame !== this.frame) {
      this.frame = frame;
      this.#show();
      this.onframe(frame);
    }
    if (frame === this.frames - 1) this.pause();
    else requestAnimationFrame((next) => this.#tick(next));
  }

  #show() {
    this.slider.value = this.frame;
    if (document.activeElement !== this.number) this.number.value = this.frame;
    const seconds = this.frame / this.fps;
    this.slider.setAttribute("aria-valuetext", `frame ${this.frame}, ${seconds.toFixed(2)} seconds`);
    this.clock.textContent = `of ${this.frames - 1} · ${seconds.toFixed(2)} s`;
    this.playButton.textContent = this.playing ? "❙❙" : "▶";
    this.playButton.setAttribute("aria-pressed", String(this.playing));
  }

  #button(label, sign, onclick) {
    return el("button", { class: "icon", "aria-label": label, "data-tip": label, onclick }, sign);
  }

  // Keys work everywhere except where they mean something already: in fields, lists and buttons.
  #key(event) {
    const at = event.target;
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    if (at.matches?.("input[type=number], input[type=text], select, textarea")) return;
    const actions = {
      " ": () => this.toggle(),
      k: () => this.toggle(),
      ArrowLeft: () => this.step(event.shiftKey ? -10 : -1),
      ArrowRight: () => this.step(event.shiftKey ? 10 : 1),
      Home: () => this.seek(0),
      End: () => this.seek(this.frames - 1),
      PageUp: () => this.step(-Math.round(this.fps)),
      PageDown: () => this.step(Math.round(this.fps)),
      "<": () => this.#faster(-1),
      ">": () => this.#faster(1),
    };
    if (!(event.key in actions)) return;
    if (event.key === " " && at.matches?.("button, [type=checkbox], [role=tab]")) return; // presses it
    event.preventDefault();
    actions[event.key]();
  }

  #faster(by) {
    const at = SPEEDS.indexOf(this.speed) + by;
    if (at in SPEEDS) this.setSpeed(SPEEDS[at]);
  }
}
