// Keys and terms, in a dialog.
import { el } from "./dom.js";

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

/** keys: [[key, what it does], ...]; words: what the terms on the page mean. */
export function openHelp(keys, words) {
  const dialog = el("dialog", { class: "help", "aria-label": "Keys and terms", onclose: () => dialog.remove() },
    el("button", { class: "close", onclick: () => dialog.close(), autofocus: true }, "Close"), // first: what has the focus is in view
    el("h2", {}, "Keys"),
    el("dl", {}, [...ALWAYS, ...keys].map(([key, text]) => [el("dt", {}, key), el("dd", {}, text)])),
    words.length ? [el("h2", {}, "Terms"), el("ul", {}, words.map((text) => el("li", {}, text)))] : null,
  );
  document.body.append(dialog);
  dialog.showModal();
}
