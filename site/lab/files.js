// The two file formats that the lab writes and reads.

// A safetensors file: the length of a header, the header as JSON, the numbers. Nothing in it can be run.
// `tensors` holds { name: { shape, values: Float32Array } }, `metadata` words by name.
export function safetensors(tensors, metadata) {
  const header = { __metadata__: metadata };
  let end = 0;
  for (const [name, { shape, values }] of Object.entries(tensors)) {
    header[name] = { dtype: "F32", shape, data_offsets: [end, (end += values.byteLength)] };
  }
  let json = new TextEncoder().encode(JSON.stringify(header));
  const padding = new Uint8Array(-json.length & 7).fill(32); // the numbers begin at a multiple of 8
  const length = new DataView(new ArrayBuffer(8));
  length.setBigUint64(0, BigInt(json.length + padding.length), true);
  return new Blob([length, json, padding, ...Object.values(tensors).map(({ values }) => values)]);
}

// What an ONNX file says of itself, as words by name. ONNX is written in protocol buffers: a file is a list of fields,
// each with a number and a kind; field 14 of a model is an entry of its metadata, with a key (1) and a value (2).
export function onnxMetadata(bytes) {
  const entries = {};
  for (const [number, content] of fields(bytes)) {
    if (number !== 14) continue;
    const parts = Object.fromEntries([...fields(content)].map(([n, text]) => [n, new TextDecoder().decode(text)]));
    entries[parts[1]] = parts[2] ?? "";
  }
  return entries;
}

function* fields(bytes) {
  let at = 0;
  const varint = () => {
    let [value, factor] = [0, 1];
    for (;;) {
      if (at >= bytes.length) throw new Error("it ends too early");
      const byte = bytes[at++];
      value += (byte & 127) * factor;
      if (byte < 128) return value;
      factor *= 128;
    }
  };
  while (at < bytes.length) {
    const tag = varint();
    const [number, kind] = [Math.floor(tag / 8), tag % 8];
    if (kind === 0) varint();
    else if (kind === 1) at += 8;
    else if (kind === 5) at += 4;
    else if (kind === 2) {
      const length = varint();
      yield [number, bytes.subarray(at, at + length)];
      at += length;
    } else throw new Error("it is not an ONNX file");
  }
}
