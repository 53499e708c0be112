// Explanations of words and signs: shown beside whatever has data-tip and the pointer or the focus.
import { el } from "./dom.js";

export function startTips() {
  const box = el("div", { class: "tip", role: "tooltip", hidden: true });
  document.body.append(box);
  const show = (event) => {
    const owner = event.target.closest?.("[data-tip]");
    box.hidden = !owner;
    if (!owner) return;
    box.textContent = owner.dataset.tip;
    const at = owner.getBoundingClientRect();
    const own = box.getBoundingClientRect();
    const below = at.bottom + 6 + own.height < innerHeight;
    box.style.left = `${Math.max(6, Math.min(at.left, innerWidth - own.width - 6))}px`;
    box.style.top = `${below ? at.bottom + 6 : at.top - own.height - 6}px`;
  };
  document.addEventListener("pointerover", show);
  document.addEventListener("focusin", (event) => event.target.matches(":focus-visible") && show(event));
  document.addEventListener("focusout", () => (box.hidden = true));
  document.addEventListener("keydown", (event) => event.key === "Escape" && (box.hidden = true));
}
