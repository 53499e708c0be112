// The page of Human3.6M results.
import { Body } from "./bodies.js";
import { Stage } from "./stage.js";
import { Timeline } from "./timeline.js";
import { Plot } from "./plot.js";

export async function openResults(shell, source, manifest) {
  const stage = new Stage(shell.stage, shell);
  window.mocap3d = { stage, manifest, Body, Timeline, Plot };
}
