// The side panel of results: who is shown, errors by joint, the worst.
import { el, fixed } from "./dom.js";
import { FULL_MM } from "./results_scene.js";
import { ramp, rampCss, SIDES } from "./theme.js";
import { term } from "./words.js";

const SCORES = [["mpjpe_mm", "mpjpe", "P1"], ["p_mpjpe_mm", "p_mpjpe", "P2"]];

/** Who is shown, in which colour, and how wrong they are: now, and over the take. */
export class Legend {
  constructor(page) {
    this.page = page;
    this.node = el("div", { class: "legend" });
  }

  build() {
    const { page } = this;
    const predicted = page.predicted();
    const heads = ["errors in mm", "show", el("span", {}, term("mpjpe", "P1"), " now"), ...SCORES.map(([, key, short]) => el("span", {}, term(key, short), " take"))];
    const rows = predicted.map((model) => this.#row(model));
    this.node.replaceChildren(
      el("table", {},
        el("thead", {}, el("tr", {}, heads.map((head) => el("th", {}, head)))),
        el("tbody", {}, rows, this.#truth()),
      ),
      predicted.length ? this.#scale() : el("p", { class: "faint" }, "No model predicted this sequence through this camera."),
    );
  }

  update() {
    const { page } = this;
    for (const { number } of page.predicted()) {
      const row = this.node.querySelector(`[data-model="${number}"]`);
      if (!row) continue;
      const shown = !page.state.hidden.has(number);
      const errors = shown ? page.frameOf("errors", number) : null;
      row.querySelector(".now").textContent = fixed(errors?.[0]);
      const scores = page.takeScores?.[number];
      SCORES.forEach(([name], i) => (row.querySelectorAll(".take")[i].textContent = fixed(scores?.[name])));
    }
  }

  #row(model) {
    const { page } = this;
    const { state } = page;
    const box = el("input", { type: "checkbox", checked: !state.hidden.has(model.number), "aria-label": `Show ${model.name}`, onchange: () => page.setShown(model.number, box.checked) });
    const swatch = el("span", { class: "swatch" });
    swatch.style.background = model.colour;
    const name = el("button", { class: "model", "aria-pressed": String(model.number === state.focus), "data-tip": `${model.name}: a click shows details, the worst and reprojection of this model`, onclick: () => page.setFocus(model.number) }, swatch, model.name);
    return el("tr", { "data-model": model.number }, el("td", {}, name), el("td", {}, box), el("td", { class: "now" }), SCORES.map(() => el("td", { class: "take" })));
  }

  #truth() {
    const { page } = this;
    const box = el("input", { type: "checkbox", checked: page.state.truth, "aria-label": "Show the ground truth", onchange: () => {
      page.state.truth = box.checked;
      page.scene.setModels();
      page.draw();
    } });
    return el("tr", { class: "truth" }, el("td", {}, el("span", { class: "swatch" }), term("truth", "ground truth")), el("td", {}, box), el("td", { colspan: 3 }));
  }

  // What colours on the bodies mean.
  #scale() {
    const { colour } = this.page.state;
    if (colour === "model") return el("div", { class: "scale" }, "bodies in the colours of the list");
    if (colour === "sides") {
      const sides = Object.entries(SIDES).map(([side, css]) => {
        const swatch = el("span", { class: "swatch" });
        swatch.style.background = css;
        return el("span", {}, swatch, side);
      });
      return el("div", { class: "scale" }, sides);
    }
    const bar = el("span", { class: "ramp" });
    bar.style.background = rampCss();
    return el("div", { class: "scale" }, "joint error: 0", bar, `${FULL_MM} mm or more`);
  }
}

/** One bar per joint of the chosen model: now, with a mark for the mean over the take. */
export class JointsPanel {
  constructor(page) {
    this.page = page;
    this.node = el("div", { class: "joints" });
  }

  build() {
    const { page } = this;
    const { joints } = page.skeleton;
    this.bars = joints.map((name, j) => {
      const [fill, mark, number] = [el("span", { class: "fill" }), el("span", { class: "mark" }), el("span", { class: "mm" })];
      const row = el("button", { class: "joint", "data-joint": j, "aria-pressed": "false", onclick: () => page.setJoint(j) }, el("span", { class: "name" }, name.replaceAll("_", " ")), el("span", { class: "bar" }, fill, mark), number);
      return { row, fill, mark, number };
    });
    const hint = el("p", { class: "faint" }, "mm in this frame; the line: mean of the take. Click: trail.");
    this.node.replaceChildren(hint, ...this.bars.map(({ row }) => row));
  }

  update() {
    const { page } = this;
    const { state } = page;
    const shown = page.shownModels().some(({ number }) => number === state.focus);
    const errors = shown ? page.frameOf("errors", state.focus) : null;
    const means = page.takeScores?.[state.focus]?.joint_mm;
    this.bars?.forEach(({ row, fill, mark, number }, j) => {
      const mm = errors ? errors[2 + j] : NaN;
      fill.style.width = `${100 * Math.min((mm || 0) / FULL_MM, 1)}%`;
      fill.style.background = ramp((mm || 0) / FULL_MM);
      mark.hidden = !means || means[j] === null;
      if (means) mark.style.left = `${100 * Math.min(means[j] / FULL_MM, 1)}%`;
      number.textContent = fixed(mm);
      row.setAttribute("aria-pressed", String(j === state.joint));
    });
  }
}

/** Where the chosen model is most wrong: frames and whole sequences; a click goes there. */
export class WorstPanel {
  constructor(page) {
    Object.assign(this, { page, at: -1, frames: [] });
    this.node = el("div", { class: "worst" }, el("p", { class: "faint" }, "Measuring …"));
  }

  update(scores) {
    const { page } = this;
    const { focus } = page.state;
    if (!scores) return;
    const key = `${focus}:${scores.done}`;
    if (key === this.shown) return;
    this.shown = key;
    this.at = -1;
    this.frames = scores.worst_frames.filter((row) => row[1] === focus);
    const takes = scores.takes.filter((row) => row[1] === focus).sort((a, b) => b[3] - a[3]);
    this.node.replaceChildren(
      el("p", { class: "faint" }, progress(scores)),
      el("h2", {}, "Worst frames"),
      head("frame"),
      el("ol", { class: "frames" }, this.frames.slice(0, 20).map(([take, , camera, frame, mm]) => this.#item(take, camera, frame, String(frame), mm))),
      el("h2", {}, "Worst sequences"),
      head(""),
      el("ol", { class: "sequences" }, takes.slice(0, 20).map(([take, , camera, mm]) => this.#item(take, camera, 0, "", mm))),
    );
  }

  /** Go to the next of the worst frames. */
  next() {
    if (!this.frames.length) return;
    this.at = (this.at + 1) % Math.min(this.frames.length, 20);
    const [take, , camera, frame] = this.frames[this.at];
    this.page.goTo(take, camera, frame);
  }

  #item(take, camera, frame, text, mm) {
    const { page } = this;
    const { subject, action } = page.manifest.takes[take];
    const name = page.manifest.cameras[subject][camera].name;
    return el("li", {}, el("button", { class: "go", onclick: () => page.goTo(take, camera, frame) },
      el("span", { class: "what" }, `${subject} ${action}`), el("span", { class: "faint" }, name), el("span", { class: "mm faint" }, text), el("span", { class: "mm" }, fixed(mm))));
  }
}

function head(third) {
  return el("div", { class: "go faint", "aria-hidden": "true" }, el("span", {}, "sequence"), el("span", {}, "camera"), el("span", { class: "mm" }, third), el("span", { class: "mm" }, "P1, mm"));
}

/** How far judging has come. */
export function progress(scores) {
  if (scores.failed.length) return scores.failed.join("; ");
  if (scores.done < scores.total) return `Measuring: ${scores.done} of ${scores.total} sequences and cameras so far.`;
  return `All ${scores.total} sequences and cameras measured.`;
}
