// Which page shows which kind of thing: open(shell, source, manifest).
import { openCapture } from "./capture.js";
import { openReport } from "./report.js";
import { openResults } from "./results.js";

export const PAGES = {
  results: openResults,
  capture: openCapture,
  motion: openCapture,
  rig: openCapture,
  report: openReport,
};
