// Starts the page: finds what is shown, and hands it to the page of its kind.
import { PAGES } from "./pages.js";
import { Shell } from "./shell.js";
import { InlineSource, ServerSource, shows } from "./source.js";

async function start() {
  const shell = new Shell(document.getElementById("mocap3d-player") ?? document.body);
  try {
    const inline = document.getElementById("mocap3d-data");
    const listed = inline ? [{ id: "inline" }] : await shows();
    const id = new URLSearchParams(location.search).get("show") ?? listed[0].id;
    const source = inline ? new InlineSource(JSON.parse(inline.textContent)) : new ServerSource(id);
    const manifest = await source.manifest();
    const open = PAGES[manifest.kind];
    if (!open) throw new Error(`nothing here shows a ${manifest.kind}`);
    shell.offer(listed, id);
    shell.title(manifest.name);
    await open(shell, source, manifest);
  } catch (error) {
    shell.fail(error);
    throw error;
  }
}

start();
