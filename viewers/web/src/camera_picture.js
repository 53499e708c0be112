// The camera's picture: what the detector saw, and where the 3D joints fall in it. In a corner, or over the whole stage.
import { el, fixed } from "./dom.js";
import { term } from "./words.js";
import { cssColour } from "./theme.js";

const WIDTH = 184;

export class CameraPicture {
  constructor(host, stage, shell) {
    Object.assign(this, { stage, shell });
    this.title = el("span", {});
    this.canvas = el("canvas", { "aria-hidden": "true" });
    this.number = el("output", { class: "reprojection" });
    this.node = el("figure", { class: "picture" }, this.canvas, el("figcaption", {}, this.title, " ", term("reprojection", "reprojection"), " ", this.number));
    host.append(this.node);
  }

  update(page) {
    const camera = page.cameras[page.state.camera];
    this.node.hidden = !camera || !(page.state.picture || page.state.through);
    const { overlay } = this.stage;
    overlay.hidden = !camera || !page.state.through; // a layer less to put together
    if (!camera) return;
    this.title.textContent = page.view ? `${camera.name} · joints by “${page.view.detector}”` : camera.name;
    const far = this.#tell(page);
    this.number.textContent = page.view ? `${fixed(far)} px` : "";
    this.node.classList.toggle("caption-only", page.state.through);
    if (page.state.through) this.#onStage(page, camera, overlay.getContext("2d"));
    else if (page.state.picture) this.#inCorner(page, camera);
  }

  #inCorner(page, camera) {
    const [width, height] = camera.size_wh_px;
    const ratio = Math.min(devicePixelRatio, 2);
    const scale = WIDTH / Math.max(width, height);
    const size = [Math.round(width * scale * ratio), Math.round(height * scale * ratio)];
    const pen = this.canvas.getContext("2d");
    if (this.canvas.width !== size[0] || this.canvas.height !== size[1]) {
      [this.canvas.width, this.canvas.height] = size;
      this.canvas.style.width = `${width * scale}px`;
      this.canvas.style.height = `${height * scale}px`;
    }
    pen.setTransform(1, 0, 0, 1, 0, 0);
    pen.clearRect(0, 0, ...size);
    pen.setTransform(scale * ratio, 0, 0, scale * ratio, 0.5 * scale * ratio, 0.5 * scale * ratio);
    const truth = page.state.truth ? page.frameOf("true_px") : null;
    if (truth) lines(pen, truth, page.skeleton.parents, cssColour("--truth"), 2 / scale);
    for (const { number, colour } of page.shownModels()) {
      const px = page.frameOf("found_px", number);
      if (px) lines(pen, px, page.skeleton.parents, colour, 1.6 / scale);
    }
    this.#input(pen, page, 1 / scale);
  }

  // The bodies themselves are drawn by the stage; here come the picture's edge and what the detector saw.
  #onStage(page, camera, pen) {
    const { x, y, scale } = this.stage.pictureBox();
    const ratio = this.stage.renderer.getPixelRatio();
    const [width, height] = camera.size_wh_px;
    pen.setTransform(1, 0, 0, 1, 0, 0);
    pen.clearRect(0, 0, this.stage.overlay.width, this.stage.overlay.height);
    pen.setTransform(scale * ratio, 0, 0, scale * ratio, (x + 0.5 * scale) * ratio, (y + 0.5 * scale) * ratio);
    pen.strokeStyle = cssColour("--accent");
    pen.lineWidth = 1.5 / scale;
    pen.strokeRect(-0.5, -0.5, width, height);
    this.#input(pen, page, 1 / scale);
  }

  // Rings where the detector saw joints, and from each a line to where the chosen model puts the joint.
  #input(pen, page, unit) {
    const seen = page.view && page.frameOf("seen");
    if (!seen) return;
    const found = page.shownModels().length ? page.frameOf("found_px", page.state.focus) : null;
    pen.lineWidth = 1.4 * unit;
    pen.strokeStyle = cssColour("--ink");
    page.view.joints.forEach((name, k) => {
      const [u, v] = [seen[k * 2], seen[k * 2 + 1]];
      if (!Number.isFinite(u)) return;
      pen.beginPath();
      pen.arc(u, v, 3 * unit, 0, 2 * Math.PI);
      const j = page.skeleton.joints.indexOf(name);
      if (found && j >= 0 && Number.isFinite(found[j * 2])) {
        pen.moveTo(u, v);
        pen.lineTo(found[j * 2], found[j * 2 + 1]);
      }
      pen.stroke();
    });
  }

  /** Mean distance in pixels between what was seen and the chosen model's joints, over joints of the same name. */
  #tell(page) {
    const seen = page.view && page.frameOf("seen");
    const found = page.shownModels().some(({ number }) => number === page.state.focus) ? page.frameOf("found_px", page.state.focus) : null;
    if (!seen || !found) return NaN;
    const far = page.view.joints.flatMap((name, k) => {
      const j = page.skeleton.joints.indexOf(name);
      const distance = j < 0 ? NaN : Math.hypot(seen[k * 2] - found[j * 2], seen[k * 2 + 1] - found[j * 2 + 1]);
      return Number.isFinite(distance) ? [distance] : [];
    });
    return far.reduce((sum, px) => sum + px, 0) / far.length;
  }
}

function lines(pen, px, parents, colour, width) {
  pen.strokeStyle = colour;
  pen.lineWidth = width;
  pen.lineCap = "round";
  pen.beginPath();
  parents.forEach((parent, j) => {
    const ends = [px[j * 2], px[j * 2 + 1], px[parent * 2], px[parent * 2 + 1]];
    if (parent < 0 || !ends.every(Number.isFinite)) return;
    pen.moveTo(ends[0], ends[1]);
    pen.lineTo(ends[2], ends[3]);
  });
  pen.stroke();
}
