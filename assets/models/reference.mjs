// Runs the networks' tfjs originals on a drawn face and prints what they answer,
// for pipeline/infer's tests to compare with:
//
//   node reference.mjs SOURCE-DIR TFJS.esm.js > ../../pipeline/infer/testdata/reference.json
//
// TFJS.esm.js is any build of TensorFlow.js with its plain JavaScript backend.
import fs from 'node:fs';
import path from 'node:path';

const [, , source, tfjs] = process.argv;
// The build is made for browsers; let it take this for one.
globalThis.window = globalThis;
globalThis.document = { createElement: () => ({ getContext: () => null }) };
Object.defineProperty(process, 'versions', { value: {} });
const tf = await import(path.resolve(tfjs));
await tf.setBackend('cpu');
await tf.ready();

// The same drawing is made in Go; whole numbers only, so that both agree.
function drawing(side) {
  const px = new Uint8Array(side * side * 3);
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      const u = Math.floor((x * 1000) / side) - 500;
      const v = Math.floor((y * 1000) / side) - 500;
      const within = (cx, cy, a, b) => ((u - cx) * (u - cx) * b * b + (v - cy) * (v - cy) * a * a < a * a * b * b);
      let c = [190, 205, 220 - (v + 500) / 20];
      if (within(0, -40, 260, 330)) c = [40, 32, 30];
      if (v > 330 && within(0, 700, 480, 420)) c = [60, 60, 90];
      if (within(0, 20, 210, 290)) c = [215 - Math.abs(u) / 10, 165, 140];
      if (within(-85, -40, 45, 20) || within(85, -40, 45, 20)) c = [240, 240, 240];
      if (within(-85, -40, 18, 18) || within(85, -40, 18, 18)) c = [30, 20, 20];
      if (within(0, 80, 30, 20)) c = [180, 120, 100];
      if (within(0, 170, 75, 22)) c = [160, 70, 75];
      c.forEach((k, i) => { px[(y * side + x) * 3 + i] = Math.floor(k); });
    }
  }
  return px;
}

async function run(stem, side, scale, shift, wanted) {
  const j = JSON.parse(fs.readFileSync(path.join(source, stem + '.json')));
  const bin = fs.readFileSync(path.join(source, stem + '.bin'));
  const model = await tf.loadGraphModel({
    load: async () => ({
      modelTopology: j.modelTopology,
      signature: j.signature,
      weightSpecs: j.weightsManifest.flatMap((m) => m.weights),
      weightData: bin.buffer.slice(bin.byteOffset, bin.byteOffset + bin.byteLength),
      format: j.format,
    }),
  });
  const x = tf.tensor(Float32Array.from(drawing(side), (v) => v * scale + shift), [1, side, side, 3]);
  const values = [];
  for (const [name, cells, channels] of wanted) {
    const t = (await model.execute(x, name)).dataSync();
    // Cell by cell here, plane by plane there.
    for (let c = 0; c < channels; c++) for (let i = 0; i < cells; i++) values.push(t[i * channels + c]);
  }
  return values.map((v) => +v.toPrecision(7));
}

// Every so many values are plenty to tell.
const every = 89;
const rows = (values, n) => Array.from({ length: values.length / n }, (_, i) => values.slice(i * n, i * n + n));
const some = (values) => ({ every, values: values.filter((_, i) => i % every === 0) });

const mesh = await run('facemesh-attention', 192, 1 / 255, 0, [
  ['Identity_4', 1, 1404], ['Identity', 1, 1], ['Identity_3', 1, 160],
  ['Identity_1', 1, 142], ['Identity_2', 1, 10], ['Identity_5', 1, 142], ['Identity_6', 1, 10]]);
console.log(JSON.stringify({
  detector: some(await run('blazeface', 256, 2 / 255, -1, [
    ['Identity', 256, 2], ['Identity_2', 256, 32], ['Identity_1', 64, 6], ['Identity_3', 64, 96]])),
  person: some(await run('selfie', 256, 1 / 255, 0, [['activation_10', 65536, 1]])),
  // All of the points before their parts were looked at closer, and the parts.
  points: rows(mesh.slice(0, 1404), 3),
  presence: mesh[1404],
  lips: rows(mesh.slice(1405, 1565), 2),
  leftEye: rows(mesh.slice(1565, 1707), 2),
  leftIris: rows(mesh.slice(1707, 1717), 2),
  rightEye: rows(mesh.slice(1717, 1859), 2),
  rightIris: rows(mesh.slice(1859, 1869), 2),
}));
