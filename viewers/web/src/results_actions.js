// The table by action: all measures of one model, or one measure of all models. A click on a head sorts.
import { choice, el, fixed } from "./dom.js";
import { progress } from "./results_panels.js";
import { term } from "./words.js";

const MEASURES = [
  ["mpjpe_mm", "mpjpe", "P1", 1],
  ["p_mpjpe_mm", "p_mpjpe", "P2", 1],
  ["n_mpjpe_mm", "n_mpjpe", "P3", 1],
  ["mpjve_mm", "mpjve", "MPJVE", 2],
  ["pck_percent", "pck", "PCK %", 1],
  ["auc_percent", "auc", "AUC %", 1],
];

export class ActionsPanel {
  constructor(page) {
    Object.assign(this, { page, sort: null, down: false });
    const options = [["focus", "all errors of one model"], ...MEASURES.map(([name, , short]) => [name, `${short} of all models`])];
    this.what = choice("Show", options, "focus", () => this.#build());
    this.table = el("table", { class: "actions" });
    this.progress = el("p", { class: "faint" }, "Measuring …");
    const note = el("p", { class: "faint" }, "P1, P2, P3 in mm, MPJVE in mm per frame at 50 Hz. “Average” counts each action once, as published tables do. Numbers are those of mocap3d evaluate.");
    this.node = el("div", {}, this.what.node, this.table, this.progress, note);
  }

  update(scores) {
    if (!scores) return;
    this.scores = scores;
    this.progress.textContent = progress(scores);
    this.#build();
  }

  // [{ head, term, digits, of(rows by action | average | all_frames, per model) }]
  #columns() {
    const { page } = this;
    if (this.what.select.value === "focus") {
      return MEASURES.map(([name, word, short, digits]) => ({ key: name, head: term(word, short), digits, of: (part) => part(page.state.focus)?.[name] }));
    }
    const [name, , , digits] = MEASURES.find(([measure]) => measure === this.what.select.value);
    return page.models.map(({ number, name: head }) => ({ key: String(number), head, digits, of: (part) => part(number)?.[name] }));
  }

  #build() {
    const { scores, page } = this;
    if (!scores) return;
    const focused = this.table.contains(document.activeElement) ? document.activeElement.dataset.sort : null;
    const columns = this.#columns();
    const of = (pick) => (number) => pick(scores.models[number] ?? {});
    const actions = [...new Set(scores.models.flatMap((model) => Object.keys(model.actions ?? {})))];
    const rows = actions.map((action) => {
      const part = of((model) => model.actions?.[action]);
      return { action, values: columns.map((column) => column.of(part)) };
    });
    this.#order(rows, columns);
    const foot = [["Average", (model) => model.average], ["All frames", (model) => model.all_frames]].map(([name, pick]) =>
      el("tr", {}, el("th", { scope: "row" }, name), columns.map((column) => el("td", {}, fixed(column.of(of(pick)), column.digits)))));
    this.table.replaceChildren(
      el("thead", {}, el("tr", {}, this.#head("", "Action"), columns.map(({ key, head }) => this.#head(key, head)))),
      el("tbody", {}, rows.map(({ action, values }) => el("tr", { "data-action": action },
        el("th", { scope: "row" }, el("button", { class: "go", onclick: () => this.#go(action) }, action)),
        values.map((value, i) => el("td", {}, fixed(value, columns[i].digits)))))),
      el("tfoot", {}, foot),
    );
    if (focused !== null) this.table.querySelector(`[data-sort="${focused}"]`)?.focus();
    this.table.classList.toggle("wide", columns.length > 4);
    this.table.setAttribute("aria-label", `Errors by action, ${page.manifest.name}`);
  }

  #head(key, content) {
    const sorted = this.sort === key ? (this.down ? "descending" : "ascending") : "none";
    const sign = { none: "", ascending: " ▲", descending: " ▼" }[sorted];
    return el("th", { "aria-sort": sorted, scope: "col" }, el("button", { class: "sort", "data-sort": key, "data-tip": typeof content === "string" && key ? content : null, onclick: () => this.#sortBy(key) }, content, sign));
  }

  #sortBy(key) {
    this.down = this.sort === key ? !this.down : key !== "";
    this.sort = key;
    this.#build();
  }

  #order(rows, columns) {
    if (this.sort === null) return; // as the table was published
    const at = columns.findIndex(({ key }) => key === this.sort);
    const by = (a, b) => (at < 0 ? a.action.localeCompare(b.action) : (a.values[at] ?? Infinity) - (b.values[at] ?? Infinity));
    rows.sort((a, b) => (this.down ? by(b, a) : by(a, b)));
  }

  #go(action) {
    const { page } = this;
    const number = page.manifest.takes.findIndex((take) => take.row === action && take.found[page.state.focus]);
    if (number >= 0) page.openTake(number);
  }
}
