// The side panel of a capture: quality with plots, joints of several cameras, files to take away, how it was made.
import { choice, el, fixed, tick } from "./dom.js";
import { Plot } from "./plot.js";
import { MODELS, SIDES } from "./theme.js";

const LINES = { "left foot": SIDES.left, "right foot": SIDES.right };

/** A word with its explanation, reached by mouse and keyboard. */
function explained(text, words) {
  return words ? el("span", { class: "term", tabindex: "0", "data-tip": words, "aria-label": `${text}: ${words}` }, text) : text;
}

export class QualityPanel {
  /** onpick(frame) when a plot is clicked. */
  constructor(shell, manifest, rows, onpick) {
    Object.assign(this, { manifest, rows, generation: 0 });
    this.table = el("table", { class: "figures" });
    this.node = el("div", {});
    const known = new Set(manifest.people.flatMap((person) => person.series.map((series) => series.figure)));
    this.plots = manifest.plots.filter((plot) => known.has(plot.figure)).map(({ figure, label, unit, least }) => {
      this.node.append(el("h2", {}, explained(label, manifest.words[figure]), unit ? el("span", { class: "faint" }, `, ${unit}`) : null));
      const plot = new Plot(this.node, shell, { label, unit: "", onpick, least });
      plot.setClip(manifest.frames, manifest.fps);
      return { figure, plot };
    });
    this.node.append(el("h2", {}, "Of the whole clip"), this.table);
  }

  /** Numbers of some people, by index. */
  async setPeople(indices) {
    const people = indices.map((index) => this.manifest.people[index]);
    const names = [...new Map(people.flatMap((person) => person.figures.map((figure) => [figure.name, figure.label])))];
    const head = people.length > 1 ? el("thead", {}, el("tr", {}, el("th"), people.map((person) => el("th", { scope: "col" }, person.label)))) : null;
    const body = names.map(([name, label]) => {
      const cells = people.map((person) => el("td", { "data-figure": name }, person.figures.find((figure) => figure.name === name)?.text ?? "–"));
      return el("tr", {}, el("th", { scope: "row" }, explained(label, this.manifest.words[name])), cells);
    });
    this.table.replaceChildren(...[head, el("tbody", {}, body)].filter(Boolean));
    this.generation += 1;
    await this.#fill(people, this.generation);
  }

  async #fill(people, generation) {
    const { cameras, frames, start } = this.manifest;
    for (const { figure, plot } of this.plots) {
      const lines = [];
      for (const [n, person] of people.entries()) {
        for (const { line, array } of person.series.filter((series) => series.figure === figure)) {
          const values = new Float32Array(frames).fill(NaN);
          values.set(await this.rows.whole(array, person.frames), person.first - start);
          if (generation !== this.generation) return;
          const colour = LINES[line] ?? MODELS[Math.max(0, cameras.findIndex((camera) => camera.name === line)) % MODELS.length];
          lines.push({ person: n, name: line, values, colour });
        }
      }
      const ofPeople = people.map((person, n) => ({ name: person.label, colour: MODELS[n % MODELS.length], values: meanOf(lines.filter((line) => line.person === n), frames) }));
      plot.setSeries(people.length > 1 ? ofPeople : lines);
    }
  }

  setFrame(frame) {
    for (const { plot } of this.plots) plot.setFrame(frame);
  }
}

/** The mean of several lines, frame by frame, of what is known. */
function meanOf(lines, frames) {
  return Float32Array.from({ length: frames }, (_, t) => {
    const known = lines.map(({ values }) => values[t]).filter(Number.isFinite);
    return known.reduce((sum, value) => sum + value, 0) / known.length;
  });
}

export class JointsPanel {
  /** onchoose(joint or -1). Residuals: how far each camera saw a joint from where all cameras together put it. */
  constructor(manifest, onchoose) {
    Object.assign(this, { manifest, onchoose, chosen: -1 });
    this.table = el("table", { class: "figures residuals" });
    const words = "How far, in pixels, a camera saw the joint from where all cameras together put it. One camera with large numbers was moved, or began at another time.";
    this.node = el("div", {}, el("h2", {}, explained("Residuals in this frame, px", words)), el("p", { class: "faint" }, "Choose a joint, here or in a picture, to see its rays."), this.table);
  }

  setPerson(person) {
    const cameras = this.manifest.cameras;
    this.person = person;
    this.cameraNumbers = cameras.map((_, c) => c).filter((c) => person.arrays[`seen.${c}`]);
    const head = el("tr", {}, el("th"), this.cameraNumbers.map((c) => el("th", { scope: "col" }, cameras[c].name)));
    this.cells = person.seen.joints.map(() => this.cameraNumbers.map(() => el("td")));
    this.lines = person.seen.joints.map((name, j) => {
      const button = el("button", { onclick: () => this.choose(this.chosen === j ? -1 : j) }, name.replaceAll("_", " "));
      return el("tr", { "aria-selected": "false", onclick: (event) => event.target !== button && button.click() }, el("th", { scope: "row" }, button), this.cells[j]);
    });
    this.table.replaceChildren(el("thead", {}, head), el("tbody", {}, this.lines));
    this.choose(-1);
  }

  choose(joint) {
    this.chosen = joint;
    this.lines.forEach((line, j) => line.setAttribute("aria-selected", String(j === joint)));
    this.onchoose(joint);
  }

  /** rows(name) -> the row of this frame of an array of the person, or null. */
  setFrame(rows) {
    this.cameraNumbers.forEach((c, column) => {
      const seen = rows(`seen.${c}`);
      const put = rows(`lifted.${c}`);
      this.person.seen.joints.forEach((name, j) => {
        const k = this.person.lifted?.joints.indexOf(name) ?? -1;
        const known = seen && put && k >= 0 && seen[j * 3 + 2] > 0;
        const off = known ? Math.hypot(seen[j * 3] - put[k * 2], seen[j * 3 + 1] - put[k * 2 + 1]) : NaN;
        this.cells[j][column].textContent = fixed(off);
      });
    });
  }
}

export class ExportPanel {
  constructor(manifest, source) {
    Object.assign(this, { manifest, source, person: 0 });
    this.who = el("p", { hidden: manifest.people.length < 2 });
    const { formats, presets, plain } = manifest.downloads;
    const named = [[plain, "as captured"], ...presets.map((preset) => [preset, preset])];
    this.preset = choice("For", named, plain, () => this.#update());
    this.mannequin = tick("with a mannequin", true, () => {});
    this.said = el("p", { role: "status", class: "faint" });
    this.buttons = formats.map((format) => {
      const button = el("button", { onclick: () => this.#get(format, button) }, format.extension);
      return { format, button };
    });
    this.node = el("div", {},
      this.who, el("p", {}, this.preset.node), el("p", {}, this.mannequin.node),
      el("div", { class: "formats" }, this.buttons.map(({ button }) => button)), this.said,
      el("p", { class: "faint" }, "Presets set the names, axes, units and rest pose of another program. Files are made on this computer when you ask for them."),
    );
    this.preset.node.hidden = !presets.length;
    this.mannequin.node.hidden = !formats.some((format) => format.mannequin);
  }

  /** Whose motion the files hold, by index. */
  setPerson(person) {
    this.person = person;
    this.who.textContent = `Files hold ${this.manifest.people[person].label}. Choose somebody else under “Person” above.`;
  }

  #update() {
    for (const { format, button } of this.buttons) button.disabled = !format.presets && this.preset.select.value !== this.manifest.downloads.plain;
  }

  async #get(format, button) {
    const look = format.mannequin && this.mannequin.box.checked ? "mannequin" : "bones";
    const name = `${this.person}.${this.preset.select.value}.${look}${format.extension}`;
    this.said.classList.remove("failed");
    this.said.textContent = `Making ${format.extension} …`;
    button.disabled = true;
    try {
      const { blob, called } = await this.source.file(name);
      const link = el("a", { href: URL.createObjectURL(blob), download: called });
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
      this.said.textContent = `${called}, ${(blob.size / 1024).toFixed(0)} KB`;
    } catch (error) {
      this.said.classList.add("failed");
      this.said.textContent = error.message;
    }
    button.disabled = false;
  }
}

/** How it was made, and what a user should know. */
export function aboutPanel(manifest) {
  const notes = manifest.notes.length ? [el("h2", {}, "Notes"), el("ul", {}, manifest.notes.map((note) => el("li", {}, note)))] : [];
  const facts = manifest.facts.length ? [el("h2", {}, "How it was made"), el("dl", { class: "facts" }, manifest.facts.flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]))] : [];
  const unseen = manifest.people.filter((person) => person.unobserved.length);
  const parts = unseen.map((person) => el("p", {}, `${person.label}: not seen, at rest: ${person.unobserved.join(", ")}`));
  const clip = el("p", { class: "faint" }, `${manifest.frames} frames, ${manifest.fps.toFixed(3).replace(/\.?0+$/, "")} per second, ${(manifest.frames / manifest.fps).toFixed(2)} s`);
  return el("div", {}, ...notes, ...parts, manifest.cameras.length ? camerasTable(manifest) : null, ...facts, manifest.people.length ? clip : null);
}

function camerasTable(manifest) {
  const head = ["camera", "pixels", "view", "height", "lens"].map((name) => el("th", { scope: "col" }, name));
  const lines = manifest.cameras.map((camera) => el("tr", {},
    el("th", { scope: "row" }, camera.name), el("td", {}, camera.size_wh_px.join(" × ")), el("td", {}, `${camera.fov_deg.toFixed(0)}°`),
    el("td", {}, `${camera.world_from_cam[1][3].toFixed(2)} m`), el("td", {}, camera.lens),
  ));
  return el("div", {}, el("h2", {}, "Cameras"), el("table", { class: "figures" }, el("thead", {}, el("tr", {}, head)), el("tbody", {}, lines)));
}
