// Terms of the field in plain words: shown when the pointer or the keyboard's focus is on them.
import { el } from "./dom.js";

export const WORDS = {
  mpjpe: "MPJPE (protocol 1): mean distance of a joint from the truth, both bodies moved so that their pelvises meet.",
  p_mpjpe: "P-MPJPE (protocol 2): the same after the best rotation, shift and size of every frame. What stays is a wrong pose.",
  n_mpjpe: "N-MPJPE (protocol 3): the same after the best size of every frame.",
  mpjve: "MPJVE: how wrong the movement from one frame to the next is, per 20 ms. High means trembling.",
  pck: "PCK: share of joints less than 150 mm from the truth. High is good.",
  auc: "AUC: mean of PCK over the limits 0, 5, 10 ... 150 mm. High is good; a perfect result has 96.8 %.",
  reprojection: "Reprojection: where the 3D joint falls in the camera's picture. The number is the mean distance from what the detector saw, over joints of the same name (two skeletons may mean slightly different points by one name).",
  root: "Root: the pelvis. Root-aligned puts all pelvises on one point, as the errors are measured.",
  truth: "Ground truth: what the motion-capture system of the data set recorded.",
};

/** A word with an explanation that needs no mouse. */
export function term(key, text) {
  return el("span", { class: "term", tabindex: "0", "data-tip": WORDS[key], "aria-label": `${text}: ${WORDS[key]}` }, text);
}
