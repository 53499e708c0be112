// Where numbers and pictures come from: the server of `mocap3d view`, or the page itself (a report).
// Both have manifest(), rows(array, from, to), picture(camera, frame), table(name), download(name).

const DATA_BUDGET = 96 * 2 ** 20; // bytes of rows kept in the page, over all arrays

async function fetched(path) {
  const answer = await fetch(path);
  if (!answer.ok) throw new Error(answer.status === 422 ? await answer.text() : `${path}: ${answer.status} ${await answer.text()}`);
  return answer;
}

/** What the server shows: [{ id, kind, name }]. */
export async function shows() {
  return (await fetched("/api/shows")).json();
}

export class ServerSource {
  constructor(id) {
    this.base = `/api/shows/${encodeURIComponent(id)}`;
    this.bytes = 0; // received as rows
  }
  async manifest() {
    return (await fetched(this.base)).json();
  }
  async table(name) {
    return (await fetched(`${this.base}/tables/${encodeURIComponent(name)}`)).json();
  }
  async rows(array, from, to) {
    const path = `${this.base}/data/${encodeURIComponent(array)}?from=${from}&to=${to}`;
    const buffer = await (await fetched(path)).arrayBuffer();
    this.bytes += buffer.byteLength;
    return new Float32Array(buffer);
  }
  picture(camera, frame) {
    return `${this.base}/pictures/${encodeURIComponent(camera)}/${frame}.jpg`;
  }
  download(name) {
    return `${this.base}/downloads/${encodeURIComponent(name)}`;
  }
  /** The content of a download: { blob, called }. */
  async file(name) {
    const answer = await fetch(this.download(name));
    if (!answer.ok) throw new Error(await answer.text()); // says why it cannot be made
    const called = /filename\*=UTF-8''(.*)$/.exec(answer.headers.get("Content-Disposition") ?? "")?.[1];
    return { blob: await answer.blob(), called: called ? decodeURIComponent(called) : name };
  }
}

/** The same from data in the page: { manifest, arrays: { name: { shape, base64 } }, tables, pictures }. */
export class InlineSource {
  constructor(data) {
    this.data = data;
    this.decoded = new Map();
    this.bytes = 0;
  }
  async manifest() {
    return this.data.manifest;
  }
  async table(name) {
    return this.data.tables[name];
  }
  async rows(array, from, to) {
    const { shape, base64 } = this.data.arrays[array];
    if (!this.decoded.has(array)) {
      const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
      this.decoded.set(array, new Float32Array(bytes.buffer));
    }
    const width = shape.slice(1).reduce((product, n) => product * n, 1);
    return this.decoded.get(array).subarray(from * width, to * width);
  }
  picture(camera, frame) {
    return this.data.pictures?.[camera]?.[frame] ?? null;
  }
  download() {
    return null;
  }
  /** As of the server, of the files that the page carries. */
  async file(name) {
    const base64 = this.data.files?.[name];
    if (!base64) throw new Error(`${name} is not in this page`);
    return { blob: new Blob([Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0))]), called: name };
  }
}

/**
 * Arrays of a source in chunks of frames: what is there is there at once, what is missing is fetched.
 * The chunks that were used longest ago are dropped when the budget is spent.
 */
export class Rows {
  constructor(source, { chunk = 500, budget = DATA_BUDGET, onload = () => {}, onerror = () => {} } = {}) {
    Object.assign(this, { source, chunk, budget, onload, onerror, held: 0, generation: 0 });
    this.chunks = new Map(); // "array:number" -> { rows } or { promise }; in the order of last use
  }

  /** One frame of an array as a view, or null while it is on its way. shape: [frames, ...]. */
  at(array, shape, frame) {
    if (frame < 0 || frame >= shape[0]) return null;
    const number = Math.floor(frame / this.chunk);
    const entry = this.#entry(array, shape, number);
    if (!entry.rows) return null;
    const width = entry.rows.length / entry.count;
    const first = (frame - number * this.chunk) * width;
    return entry.rows.subarray(first, first + width);
  }

  /** Wait until a frame is there (and begin with the chunk after it). */
  async ready(array, shape, frame) {
    const number = Math.floor(frame / this.chunk);
    await this.#entry(array, shape, number).promise;
    if ((number + 1) * this.chunk < shape[0]) this.#entry(array, shape, number + 1);
  }

  /** A whole array, one chunk after another; onpart(rows, from, to) for each. Stops after forget(). */
  async stream(array, shape, onpart) {
    const { generation } = this;
    const size = this.chunk * 2;
    for (let from = 0; from < shape[0] && generation === this.generation; from += size) {
      const to = Math.min(shape[0], from + size);
      const rows = await this.source.rows(array, from, to);
      if (generation === this.generation) onpart(rows, from, to);
    }
  }

  /** Drop everything: another sequence is shown. */
  forget() {
    this.generation += 1;
    this.chunks.clear();
    this.held = 0;
  }

  #entry(array, shape, number) {
    const key = `${array}:${number}`;
    const known = this.chunks.get(key);
    if (known) {
      this.chunks.delete(key); // to the end of the order
      this.chunks.set(key, known);
      return known;
    }
    const from = number * this.chunk;
    const to = Math.min(shape[0], from + this.chunk);
    const entry = { rows: null, count: to - from, promise: null };
    entry.promise = this.source.rows(array, from, to).then(
      (rows) => {
        if (this.chunks.get(key) !== entry) return;
        entry.rows = rows;
        this.held += rows.byteLength;
        this.#shrink(entry);
        this.onload(array, number);
      },
      (error) => this.onerror(error, array), // and it stays without rows: asking again would fail again

    );
    this.chunks.set(key, entry);
    return entry;
  }

  #shrink(keep) {
    for (const [key, entry] of this.chunks) {
      if (this.held <= this.budget) return;
      if (!entry.rows || entry === keep) continue;
      this.held -= entry.rows.byteLength;
      this.chunks.delete(key);
    }
  }
}
