// Elements from data. Text goes in as text, so that a name can never become markup.

/** el("button", { class: "big", onclick: f, "aria-label": "Play" }, "text", child, ...) */
export function el(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value === true) made.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) made.setAttribute(name, String(value));
  }
  made.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
  return made;
}

/** A labelled <select>; options are [value, text] pairs. */
export function choice(label, options, value, onchange) {
  const select = el("select", { "aria-label": label, onchange: () => onchange(select.value) });
  fill(select, options, value);
  return { node: el("label", { class: "choice" }, el("span", {}, label), select), select };
}

/** Give a <select> other options. */
export function fill(select, options, value) {
  select.replaceChildren(...options.map(([key, text]) => el("option", { value: key }, text)));
  select.value = value;
}

/** A labelled check box. */
export function tick(label, checked, onchange) {
  const box = el("input", { type: "checkbox", checked, onchange: () => onchange(box.checked) });
  return { node: el("label", { class: "tick" }, box, el("span", {}, label)), box };
}

/** A number with so many decimals, or a dash where there is none. */
export function fixed(value, digits = 1) {
  return Number.isFinite(value) ? value.toFixed(digits) : "–";
}
