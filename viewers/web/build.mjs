// Bundles src/ into dist/: what the wheel ships. Always the same bytes from the same lock file.
import { build } from "esbuild";
import { copyFile, mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const out = process.argv[2] ?? join(here, "dist");
await mkdir(out, { recursive: true });
await build({
  absWorkingDir: here,
  entryPoints: { viewer: "src/main.js", style: "src/style.css" },
  outdir: out,
  bundle: true,
  minify: true,
  format: "iife", // runs inline in a report, which opens from disk, as well as from the server
  target: "es2022",
  legalComments: "eof", // the licence of three stays
  charset: "utf8",
  logLevel: "warning",
});
await copyFile(join(here, "src/index.html"), join(out, "index.html"));
