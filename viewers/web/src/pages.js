// Which page shows which kind of thing: open(shell, source, manifest).
import { openResults } from "./results.js";

export const PAGES = {
  results: openResults,
};
