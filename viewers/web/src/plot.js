// Values over time: one line per series, the frame that is shown, a click that jumps there.
import { el, fixed } from "./dom.js";
import { cssColour } from "./theme.js";

const LEFT = 52;
const RIGHT = 8;
const TOP = 8;
const BOTTOM = 16;

export class Plot {
  /** onpick(frame): clicked, dragged or moved to with the keyboard. */
  constructor(host, shell, { label, unit, onpick, least = 0 }) {
    Object.assign(this, { unit, onpick, least, series: [], frames: 1, fps: 1, frame: 0 });
    this.canvas = el("canvas", { class: "plot", role: "img", "aria-label": `${label}; click to go to a frame` });
    this.note = el("div", { class: "plot-note" });
    this.cursor = el("div", { class: "plot-cursor", hidden: true });
    this.host = el("div", { class: "plot-box" }, this.canvas, this.cursor, this.note);
    host.append(this.host);
    this.canvas.addEventListener("pointerdown", (event) => this.#down(event));
    this.canvas.addEventListener("pointermove", (event) => this.#move(event));
    this.canvas.addEventListener("pointerleave", () => (this.note.textContent = ""));
    new ResizeObserver(() => this.draw()).observe(this.host);
    shell.onTheme(() => this.draw());
  }

  setClip(frames, fps) {
    Object.assign(this, { frames, fps, series: [] });
    this.draw();
  }

  /** [{ name, colour, values: Float32Array of one number per frame, NaN where not known }] */
  setSeries(series) {
    this.series = series;
    this.draw();
  }

  /** Move the mark of the frame that is shown; the curves stay as they are drawn. */
  setFrame(frame) {
    this.frame = frame;
    if (!this.width) return;
    this.cursor.hidden = false;
    this.cursor.style.transform = `translateX(${this.xOf(frame)}px)`;
  }

  draw() {
    if (this.asked) return;
    this.asked = true;
    requestAnimationFrame(() => {
      this.asked = false;
      this.#picture();
    });
  }

  /** The x of a frame, in CSS pixels of the canvas. */
  xOf(frame) {
    return LEFT + (frame / Math.max(this.frames - 1, 1)) * (this.width - LEFT - RIGHT);
  }

  frameAt(x) {
    const part = (x - LEFT) / (this.width - LEFT - RIGHT);
    return Math.min(Math.max(Math.round(part * (this.frames - 1)), 0), this.frames - 1);
  }

  #picture() {
    const { width, height } = this.canvas.getBoundingClientRect();
    if (!width || !height) return;
    Object.assign(this, { width, height });
    const ratio = Math.min(devicePixelRatio, 2);
    this.canvas.width = Math.round(width * ratio);
    this.canvas.height = Math.round(height * ratio);
    const pen = this.canvas.getContext("2d");
    pen.scale(ratio, ratio);
    pen.font = "11px system-ui, sans-serif";
    const top = this.#highest();
    this.#axes(pen, top);
    for (const series of this.series) this.#line(pen, series, top);
    this.setFrame(this.frame);
  }

  #highest() {
    let high = this.least; // a scale that does not blow up what is next to nothing
    for (const { values } of this.series) for (const value of values) if (value > high) high = value;
    const step = 10 ** Math.floor(Math.log10(high || 1)) / 2;
    return Math.ceil((high || 1) / step) * step;
  }

  #y(value, top) {
    return this.height - BOTTOM - (value / top) * (this.height - TOP - BOTTOM);
  }

  #axes(pen, top) {
    pen.strokeStyle = cssColour("--grid");
    pen.fillStyle = cssColour("--faint");
    pen.textAlign = "right";
    pen.textBaseline = "middle";
    for (const part of [0, 0.5, 1]) {
      const y = this.#y(part * top, top);
      pen.beginPath();
      pen.moveTo(LEFT, y);
      pen.lineTo(this.width - RIGHT, y);
      pen.stroke();
      pen.fillText(part === 1 ? `${top * part} ${this.unit}` : String(top * part), LEFT - 5, y);
    }
    pen.textBaseline = "alphabetic";
    const seconds = this.frames / this.fps;
    const step = [0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600].find((s) => seconds / s <= 10) ?? 1200;
    for (let at = 0; at <= seconds; at += step) {
      pen.textAlign = at === 0 ? "left" : "center";
      const x = this.xOf(at * this.fps);
      if (x < this.width - 20) pen.fillText(`${at} s`, x, this.height - 3);
    }
  }

  // Many frames on one pixel become a stroke from their least to their greatest value: no peak is lost.
  #line(pen, { values, colour }, top) {
    pen.strokeStyle = colour;
    pen.lineWidth = 1.5;
    pen.lineJoin = "round";
    pen.beginPath();
    const columns = Math.max(1, Math.floor(this.width - LEFT - RIGHT));
    const per = Math.max(1, values.length / columns);
    let down = false;
    for (let start = 0; start < values.length; start += per) {
      let [low, high] = [Infinity, -Infinity];
      const end = Math.min(Math.ceil(start + per), values.length);
      for (let t = Math.floor(start); t < end; t += 1) {
        if (values[t] < low) low = values[t];
        if (values[t] > high) high = values[t];
      }
      if (low > high) {
        down = false;
        continue;
      }
      const x = this.xOf(per > 1 ? start + per / 2 : start);
      if (!down) pen.moveTo(x - 0.75, this.#y(low, top)); // so that a single frame is a dot
      pen.lineTo(x, this.#y(low, top));
      if (high > low) pen.lineTo(x, this.#y(high, top));
      down = true;
    }
    pen.stroke();
  }

  #down(event) {
    this.canvas.setPointerCapture(event.pointerId);
    this.onpick(this.frameAt(event.offsetX));
  }

  #move(event) {
    if (!this.width) return;
    const frame = this.frameAt(event.offsetX);
    if (event.buttons & 1) this.onpick(frame);
    const parts = this.series.map(({ name, values }) => `${name} ${fixed(values[frame])}`);
    this.note.textContent = `frame ${frame} · ${parts.join(" · ")} ${this.unit}`;
  }
}
