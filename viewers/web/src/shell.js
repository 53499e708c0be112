// The frame of every page: bar, stage, side panel with tabs, timeline, messages.
import { choice, el } from "./dom.js";
import { currentTheme, startTheme, toggleTheme } from "./theme.js";
import { startTips } from "./tips.js";

export class Shell {
  constructor(root) {
    this.themed = [];
    this.name = el("h1", {}, "mocap3d");
    this.bar = el("div", { class: "controls", role: "toolbar", "aria-label": "What is shown" });
    this.stage = el("div", { class: "stage" });
    this.side = el("aside", { class: "side", "aria-label": "Numbers" });
    this.bottom = el("footer", { class: "bottom" });
    this.message = el("p", { class: "message", role: "status", "aria-live": "polite" });
    this.themeButton = el("button", { class: "icon", onclick: () => this.#toggle(), "aria-label": "Dark or light", "data-tip": "Dark or light" }, "◐");
    this.files = el("span", { class: "files" });
    root.append(
      el("header", { class: "top" }, this.name, this.files, this.bar, this.themeButton),
      el("main", { class: "middle" }, this.stage, this.side),
      this.bottom,
    );
    this.stage.append(this.message);
    startTheme(() => this.#tell());
    startTips();
  }

  /** The name of what is shown, in the bar and on the browser's tab. */
  title(name) {
    this.name.textContent = this.name.dataset.tip = name;
    document.title = `${name} · mocap3d`;
  }

  /** Several files: a choice that opens another one. */
  offer(listed, id) {
    if (listed.length < 2) return;
    const go = (next) => location.assign(`?show=${encodeURIComponent(next)}`);
    this.files.append(choice("File", listed.map((show) => [show.id, show.name]), id, go).node);
  }

  /** Call back now and whenever dark becomes light. */
  onTheme(callback) {
    this.themed.push(callback);
    callback(currentTheme());
  }

  /** One line over the stage; "" takes it away. */
  say(text) {
    this.message.classList.remove("failed");
    this.message.textContent = text;
  }

  fail(error) {
    this.say(`This went wrong: ${error.message}`);
    this.message.classList.add("failed");
  }

  /** Tabs in the side panel: [[name, node], ...]; the arrow keys go from one to the next. */
  tabs(pages, onopen = () => {}) {
    const list = el("div", { role: "tablist", class: "tabs" });
    const panels = [];
    const open = (index, focus) => {
      [...list.children].forEach((tab, i) => {
        tab.setAttribute("aria-selected", String(i === index));
        tab.tabIndex = i === index ? 0 : -1;
        panels[i].hidden = i !== index;
      });
      if (focus) list.children[index].focus();
      onopen(pages[index][0]);
    };
    pages.forEach(([name, node], index) => {
      const move = { ArrowRight: 1, ArrowLeft: -1 };
      const onkeydown = (event) => {
        if (!(event.key in move)) return;
        event.preventDefault();
        event.stopPropagation();
        open((index + move[event.key] + pages.length) % pages.length, true);
      };
      list.append(el("button", { role: "tab", id: `tab-${index}`, "aria-controls": `panel-${index}`, onclick: () => open(index), onkeydown }, name));
      panels.push(el("section", { role: "tabpanel", id: `panel-${index}`, "aria-labelledby": `tab-${index}`, class: "panel" }, node));
    });
    this.side.replaceChildren(list, ...panels);
    open(0);
    return (name) => open(pages.findIndex(([title]) => title === name));
  }

  #toggle() {
    toggleTheme();
    this.#tell();
  }

  #tell() {
    for (const callback of this.themed) callback(currentTheme());
  }
}
