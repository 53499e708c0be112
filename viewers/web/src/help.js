// Keys and terms, in a dialog.
import { el } from "./dom.js";
import { WORDS } from "./words.js";

const ALWAYS = [
  ["Space, k", "play, hold"],
  ["←  →", "one frame; with Shift, ten"],
  ["Page Up, Page Down", "one second"],
  ["Home, End", "first and last frame"],
  ["<  >", "slower, faster"],
  ["Tab, Enter", "go to a control, use it"],
  ["Shift + arrows, + −", "on the 3D view: turn, nearer, farther"],
  ["?", "this"],
];

export function openHelp(keys) {
  const dialog = el("dialog", { class: "help", "aria-label": "Keys and terms", onclose: () => dialog.remove() },
    el("h2", {}, "Keys"),
    el("dl", {}, [...ALWAYS, ...keys].map(([key, text]) => [el("dt", {}, key), el("dd", {}, text)])),
    el("h2", {}, "Terms"),
    el("ul", {}, Object.values(WORDS).map((text) => el("li", {}, text))),
    el("button", { onclick: () => dialog.close(), autofocus: true }, "Close"),
  );
  document.body.append(dialog);
  dialog.showModal();
}
