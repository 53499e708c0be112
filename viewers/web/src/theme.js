// Colours: dark or light, and the ones that mean something, the same on every page (Okabe and Ito's palette).

export const SIDES = { left: "#d55e00", right: "#0072b2", middle: "#8a8f98" };
export const MODELS = ["#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#b5a51e", "#9a78e0"];

const KEY = "mocap3d-theme";

/** "dark" or "light": what the user chose, else what the system says. */
export function currentTheme() {
  const chosen = document.documentElement.dataset.theme;
  return chosen ?? (matchMedia("(prefers-color-scheme: light)").matches ? "light" : "dark");
}

/** Restore the choice of last time; tell when the system changes. */
export function startTheme(onchange) {
  try {
    const kept = localStorage.getItem(KEY);
    if (kept === "dark" || kept === "light") document.documentElement.dataset.theme = kept;
  } catch {
    // a page from disk may have no storage
  }
  matchMedia("(prefers-color-scheme: light)").addEventListener("change", onchange);
}

export function toggleTheme() {
  const next = currentTheme() === "dark" ? "light" : "dark";
  document.documentElement.dataset.theme = next;
  try {
    localStorage.setItem(KEY, next);
  } catch {
    // not kept, then
  }
}

/** A colour of style.css, such as cssColour("--ink"). */
export function cssColour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

// Errors in colour: from blue to yellow with growing lightness, told apart with and without colour blindness.
const RAMP = ["#3c3ec8", "#7250cc", "#b056aa", "#d86080", "#ec7359", "#f6923c", "#fbb931", "#fbe14a"];

/** A colour for a value between 0 and 1. */
export function ramp(value) {
  const at = Math.min(Math.max(value, 0), 1) * (RAMP.length - 1);
  const low = Math.floor(at);
  const high = Math.min(low + 1, RAMP.length - 1);
  const part = at - low;
  const mix = [1, 3, 5].map((digit) => {
    const a = parseInt(RAMP[low].slice(digit, digit + 2), 16);
    const b = parseInt(RAMP[high].slice(digit, digit + 2), 16);
    return Math.round(a + (b - a) * part);
  });
  return `#${mix.map((n) => n.toString(16).padStart(2, "0")).join("")}`;
}

/** The ramp as a picture for a legend. */
export function rampCss() {
  return `linear-gradient(to right, ${RAMP.join(", ")})`;
}
