"""The viewer's page as it is shipped: built from its sources, with the licences of what is in it; its memory."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
WEB = ROOT / "viewers" / "web"


@pytest.fixture
def node() -> str:
    """Node, with the packages of the page installed."""
    program = shutil.which("node")
    if program is None or not (WEB / "node_modules" / "esbuild").is_dir():
        reason = "no node, or no packages: npm ci --prefix viewers/web"
        if os.environ.get("CI") == "true":
            pytest.fail(f"in CI nothing may be missing: {reason}")
        pytest.skip(reason)
    return str(program)


def test_what_is_shipped_is_what_the_sources_make(node, tmp_path):
    """Catches a change of the page that was never built, and a build that hangs on the machine it was made on."""
    subprocess.run([node, WEB / "build.mjs", tmp_path], check=True, cwd=tmp_path, capture_output=True)
    built = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    shipped = {file.name: file.read_bytes() for file in (WEB / "dist").iterdir()}
    assert built.keys() == shipped.keys()
    assert not [name for name in built if built[name] != shipped[name]], "run `npm run build` in viewers/web"


def test_licences_stay_in_the_bundle():
    """Catches a minifier that drops the licence of three.js, which must go with every copy."""
    text = (WEB / "dist" / "viewer.js").read_text(encoding="utf-8")
    assert "SPDX-License-Identifier: MIT" in text
    assert "Three.js Authors" in text
    assert "three.js (viewers/web/dist)" in (ROOT / "NOTICE").read_text(encoding="utf-8")


def test_no_address_is_built_in():
    """Catches a page that would ask another machine: fonts, decoders, maps of the sources."""
    for file in (WEB / "dist").iterdir():
        text = file.read_text(encoding="utf-8")
        assert "sourceMappingURL" not in text
        assert not re.findall(r"(?:fetch|import|src|href|url)\s*[(=:]\s*[\"'`(]https?:", text)


def test_lock_file_names_no_host():
    """Catches the registry address of the machine that made the lock file."""
    assert '"resolved"' not in (WEB / "package-lock.json").read_text(encoding="utf-8")


ROWS = """
import { Rows } from "SOURCE";
const asked = [];
const fetched = async (array, from, to) => { asked.push(from); return new Float32Array((to - from) * 10).fill(from); };
const source = { rows: fetched };
const rows = new Rows(source, { chunk: 100, budget: 100 * 10 * 4 * 3 });
const shape = [1000, 10];
const expect = (is, what) => { if (!is) throw new Error(what); };
expect(rows.at("a", shape, 5) === null, "nothing is there at first");
await rows.ready("a", shape, 5);
expect(rows.at("a", shape, 5)[0] === 0 && rows.at("a", shape, 99).length === 10, "the first chunk is there");
for (let frame = 0; frame < 1000; frame += 100) {
  await rows.ready("a", shape, frame);
  await new Promise((resolve) => setTimeout(resolve));
  expect(rows.at("a", shape, frame)[0] === frame, `frame ${frame}`);
  expect(rows.held <= rows.budget, `${rows.held} bytes held`);
}
expect(asked.length <= 12, `chunks were fetched twice: ${asked.length}`);
expect(rows.at("a", shape, 1000) === null && rows.at("a", shape, -1) === null, "beyond the ends");
rows.forget();
expect(rows.held === 0, "all is forgotten");
let failed = 0;
const broken = new Rows({ rows: async () => { throw new Error("gone"); } }, { onerror: () => (failed += 1) });
await broken.ready("a", shape, 0).catch(() => {});
expect(failed >= 1, "a failure is told");
"""


def test_the_page_forgets_the_oldest_rows(node, tmp_path):
    """Catches a page that keeps every frame it has ever shown, or fetches what it has."""
    script = tmp_path / "rows.mjs"
    script.write_text(ROWS.replace("SOURCE", (WEB / "src" / "source.js").as_uri()), encoding="utf-8")
    done = subprocess.run([node, script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
