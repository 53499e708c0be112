// The pictures of cameras with what was seen in them: image, 2D joints and the body, always of one and the same frame.
import { el } from "./dom.js";
import { SIDES } from "./theme.js";

const BUDGET = 96 * 2 ** 20; // bytes of decoded pictures, of all cameras together
const LONGEST_PX = 1280; // of a picture that is served
const AHEAD = 3; // fetched in advance while playing
const NEAR_PX = 14; // a click so near means a joint

/** Pictures of one camera by frame, decoded; the ones that were used longest ago are dropped. */
class Film {
  constructor(url, { offset, count, size_wh_px: [width, height] }, cameras) {
    this.url = url; // frame -> address
    const shrunk = Math.min(1, LONGEST_PX / Math.max(width, height));
    this.most = Math.max(AHEAD + 2, Math.floor(BUDGET / cameras / (width * height * shrunk ** 2 * 4)));
    this.range = [-offset, count - offset]; // frames that it has
    this.kept = new Map(); // frame -> promise of ImageBitmap
    this.shown = null; // the bitmap that must not be closed
  }

  get(frame) {
    let entry = this.kept.get(frame);
    if (entry) this.kept.delete(frame);
    else entry = this.#load(frame);
    this.kept.set(frame, entry);
    for (const [old, gone] of this.kept) {
      if (this.kept.size <= this.most) break;
      this.kept.delete(old);
      gone.then((bitmap) => bitmap !== this.shown && bitmap?.close(), () => {});
    }
    return entry;
  }

  async #load(frame) {
    if (frame < this.range[0] || frame >= this.range[1]) return null; // before it began, or after its end
    const answer = await fetch(this.url(frame));
    if (!answer.ok) return null; // damaged
    return createImageBitmap(await answer.blob());
  }
}

export class PictureView {
  /** camera: of the manifest, one of so many cameras that are shown; look(frame) -> people to draw; onjoint(person, joint): a joint was clicked. */
  constructor(host, { camera, cameras, url, look, onload = () => {}, onjoint = null }) {
    Object.assign(this, { camera, look, onload, frame: null, image: null, pending: false, wanted: null });
    this.film = camera.pictures === null ? null : new Film(url, camera, cameras);
    this.canvas = el("canvas", { role: "img", "aria-label": `Picture of ${camera.name} with the joints that were seen` });
    this.caption = el("figcaption", {}, camera.name);
    this.node = el("figure", { class: "view" }, this.canvas, this.caption);
    if (!this.film) this.node.append(el("p", {}, `No pictures: ${camera.problem}. If the video is elsewhere, say so: mocap3d view --video FILE`));
    host.append(this.node);
    if (onjoint) this.canvas.addEventListener("click", (event) => this.#pick(event, onjoint));
    new ResizeObserver(() => this.draw()).observe(this.node);
  }

  /** Show a frame as soon as its picture is there; the one before stays until then. */
  show(frame, playing) {
    this.wanted = frame;
    if (!this.film) {
      this.frame = frame;
      this.draw();
      return;
    }
    if (this.pending) return; // when the one on its way has come, what is wanted then is asked for
    this.#fetch(frame);
    if (playing) for (let next = 1; next <= AHEAD; next += 1) this.film.get(frame + next).catch(() => {});
  }

  #fetch(frame) {
    this.pending = true;
    this.film.get(frame).then(
      (bitmap) => this.#arrived(frame, bitmap),
      () => this.#arrived(frame, null),
    );
  }

  #arrived(frame, bitmap) {
    Object.assign(this, { frame, image: bitmap, pending: false });
    this.film.shown = bitmap;
    this.draw();
    if (frame !== this.wanted) this.#fetch(this.wanted);
    else this.onload();
  }

  /** Where the picture lies on the canvas, CSS pixels: { x, y, scale }. */
  box() {
    const { width, height } = this.node.getBoundingClientRect();
    const [w, h] = this.camera.size_wh_px;
    const scale = Math.min(width / w, height / h);
    return { scale, x: (width - w * scale) / 2, y: (height - h * scale) / 2, width, height };
  }

  draw() {
    if (this.frame === null) return;
    const box = this.box();
    if (!box.width || !box.height) return;
    const ratio = Math.min(devicePixelRatio, 2);
    this.canvas.width = Math.round(box.width * ratio);
    this.canvas.height = Math.round(box.height * ratio);
    const pen = this.canvas.getContext("2d");
    pen.scale(ratio, ratio);
    const [w, h] = this.camera.size_wh_px;
    if (this.image) pen.drawImage(this.image, box.x, box.y, w * box.scale, h * box.scale);
    this.caption.textContent = `${this.camera.name} · video frame ${this.frame + this.camera.offset}`;
    // (0, 0) is the centre of the first pixel: half a pixel in from the corner.
    const at = (xy, j, width) => [box.x + (xy[j * width] + 0.5) * box.scale, box.y + (xy[j * width + 1] + 0.5) * box.scale];
    for (const person of this.look(this.frame)) this.#person(pen, person, at);
  }

  #pick(event, onjoint) {
    const { x, y, scale } = this.box();
    let best = { far: NEAR_PX };
    for (const { person, seen } of this.look(this.frame)) {
      for (let j = 0; seen && j < seen.length / 3; j += 1) {
        const far = Math.hypot(x + (seen[j * 3] + 0.5) * scale - event.offsetX, y + (seen[j * 3 + 1] + 0.5) * scale - event.offsetY);
        if (far < best.far) best = { far, person, joint: j };
      }
    }
    if ("joint" in best) onjoint(best.person, best.joint);
  }

  #person(pen, { seen, shown, seenFacts, parents, sides, chosen }, at) {
    pen.lineCap = "round";
    if (shown) {
      parents.forEach((parent, joint) => {
        if (parent < 0) return;
        stroke(pen, at(shown, parent, 2), at(shown, joint, 2), SIDES[sides[joint]], 3, 0.8);
      });
    }
    if (!seen) return;
    seenFacts.edges.forEach(([a, b]) => stroke(pen, at(seen, a, 3), at(seen, b, 3), "#ffffff", 1, 0.75));
    seenFacts.joints.forEach((name, j) => {
      const [x, y] = at(seen, j, 3);
      if (!Number.isFinite(x)) return;
      const sure = seen[j * 3 + 2];
      pen.beginPath();
      pen.arc(x, y, j === chosen ? 7 : 3.5, 0, 7);
      pen.lineWidth = j === chosen ? 2.5 : 1.25;
      pen.globalAlpha = sure > 0 ? 0.35 + 0.65 * sure : 1;
      pen.fillStyle = SIDES[seenFacts.sides[j]];
      pen.strokeStyle = "#ffffff";
      if (sure > 0) pen.fill(); // hollow: filled in, not seen
      pen.stroke();
      pen.globalAlpha = 1;
    });
  }
}

function stroke(pen, [x0, y0], [x1, y1], colour, width, alpha) {
  if (!Number.isFinite(x0 + x1)) return;
  pen.beginPath();
  pen.moveTo(x0, y0);
  pen.lineTo(x1, y1);
  pen.globalAlpha = alpha;
  pen.strokeStyle = "#000000";
  pen.lineWidth = width + 1.5;
  pen.stroke();
  pen.strokeStyle = colour;
  pen.lineWidth = width;
  pen.stroke();
  pen.globalAlpha = 1;
}
