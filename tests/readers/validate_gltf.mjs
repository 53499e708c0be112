// What the Khronos validator says of a glTF.   node validate_gltf.mjs FILE OUT.json
import fs from "node:fs";
import validator from "gltf-validator";

const [file, out] = process.argv.slice(2);
const report = await validator.validateBytes(new Uint8Array(fs.readFileSync(file)), { maxIssues: 1000 });
fs.writeFileSync(out, JSON.stringify(report));
