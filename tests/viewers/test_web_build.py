"""The viewer's page as it is shipped: built from its sources, with the licences of what is in it; its memory."""

from __future__ import annotations

import itertools
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
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


COLOURS = """
import { MODELS, ramp, SIDES } from "SOURCE";
console.log(JSON.stringify([Object.values(SIDES), MODELS, [0, 0.2, 0.4, 0.6, 0.8, 1].map(ramp)]));
"""
# What eyes without one kind of cone see of linear RGB: Machado, Oliveira & Fernandes, IEEE TVCG 2009, severity 1.
CONES = {
    "all three": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}  # fmt: skip


def lab(hexadecimal: str, cones: str) -> np.ndarray:
    """A colour as somebody sees it, in CIE L*a*b* (D65), where a distance of 2.3 can just be noticed."""
    srgb = np.array([int(hexadecimal[k : k + 2], 16) for k in (1, 3, 5)]) / 255
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    seen = np.clip(np.array(CONES[cones]) @ linear, 0, 1)
    to_xyz = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    x, y, z = (np.cbrt(v) if v > 0.008856 else 7.787 * v + 16 / 116 for v in to_xyz @ seen / [0.9505, 1, 1.089])
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("cones", CONES)
def test_colours_are_told_apart_by_everybody(node, tmp_path, cones):
    """Catches left and right, two models, or small and large errors that look the same to colour-blind people."""
    script = tmp_path / "colours.mjs"
    script.write_text(COLOURS.replace("SOURCE", (WEB / "src" / "theme.js").as_uri()), encoding="utf-8")
    done = subprocess.run([node, script], capture_output=True, text=True, check=True)
    sides, models, ramp = ([lab(colour, cones) for colour in colours] for colours in json.loads(done.stdout))
    for group, least in ((sides, 20), (models[:4], 10)):
        assert min(np.linalg.norm(a - b) for a, b in itertools.combinations(group, 2)) > least
    lightness = [colour[0] for colour in ramp]
    assert lightness == sorted(lightness)
    assert lightness[-1] - lightness[0] > 35
