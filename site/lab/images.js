// From a file to what the network sees: decode, resize, crop, normalise. It repeats, number by number, what
// helpers.transforms.eval_transform does in Python, so that the features are the same on both sides.

// The pixels of an image file: upright, RGB, transparency over white, as helpers.images.load_image has them.
export async function decode(blob) {
  const options = { imageOrientation: "from-image", premultiplyAlpha: "none", colorSpaceConversion: "none" };
  const bitmap = await createImageBitmap(blob, options);
  const { width, height } = bitmap;
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.fillStyle = "white";
  context.fillRect(0, 0, width, height);
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  return { width, height, rgba: context.getImageData(0, 0, width, height).data, canvas };
}

const triangle = (x) => Math.max(0, 1 - Math.abs(x));

function cubic(x) {
  const a = -0.5;
  x = Math.abs(x);
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
}

const FILTERS = { bilinear: [triangle, 1], bicubic: [cubic, 2] };

// For each place of the result along one side: where its window begins, and the weights of the pixels in it.
// The weights are whole numbers, as PyTorch (and Pillow) take them for pixels of eight bits.
function windows(from, to, interpolation) {
  const [filter, reach] = FILTERS[interpolation];
  const scale = from / to;
  const wide = Math.max(scale, 1); // where an image shrinks, each result sees a wider window: antialiasing
  const list = [];
  let largest = 0;
  for (let i = 0; i < to; i++) {
    const centre = scale * (i + 0.5);
    const first = Math.max(Math.trunc(centre - reach * wide + 0.5), 0);
    const last = Math.min(Math.trunc(centre + reach * wide + 0.5), from);
    const weights = [];
    for (let j = first; j < last; j++) weights.push(filter((j - centre + 0.5) / wide));
    const total = weights.reduce((a, b) => a + b, 0);
    list.push({ first, weights: weights.map((weight) => weight / total) });
    largest = Math.max(largest, ...list[i].weights);
  }
  let bits = 0;
  while (bits < 22 && Math.trunc(0.5 + largest * 2 ** (bits + 1)) < 2 ** 15) bits++;
  for (const window of list) {
    window.weights = window.weights.map((weight) => Math.trunc(weight * 2 ** bits + (weight < 0 ? -0.5 : 0.5)));
  }
  return { list, bits };
}

// One pass along one side. `stride` is the way from a pixel to its neighbour on this side, `lines` where lines begin.
function pass(source, target, { list, bits }, stride, targetStride, lines, targetLines) {
  const half = 2 ** (bits - 1);
  for (let line = 0; line < lines.length; line++) {
    for (let i = 0; i < list.length; i++) {
      const { first, weights } = list[i];
      let at = lines[line] + first * stride;
      let [red, green, blue] = [half, half, half];
      for (let j = 0; j < weights.length; j++, at += stride) {
        red += source[at] * weights[j];
        green += source[at + 1] * weights[j];
        blue += source[at + 2] * weights[j];
      }
      const to = targetLines[line] + i * targetStride;
      target[to] = red >> bits; // a Uint8ClampedArray keeps 0..255
      target[to + 1] = green >> bits;
      target[to + 2] = blue >> bits;
    }
  }
}

const multiples = (count, step) => Array.from({ length: count }, (_, i) => i * step);

function resize({ width, height, rgba }, newWidth, newHeight, interpolation) {
  const across = new Uint8ClampedArray(newWidth * height * 3);
  pass(rgba, across, windows(width, newWidth, interpolation), 4, 3, multiples(height, width * 4), multiples(height, newWidth * 3));
  const both = new Uint8ClampedArray(newWidth * newHeight * 3);
  const row = newWidth * 3;
  pass(across, both, windows(height, newHeight, interpolation), row, row, multiples(newWidth, 3), multiples(newWidth, 3));
  return both;
}

// Half to even, as Python rounds.
const rounded = (x) => (x % 1 === 0.5 ? 2 * Math.round(x / 2) : Math.round(x));

// The input of the network: Float32Array of 3 x size x size.
export function prepare(image, { size, resize: shorter, mean, std, interpolation }) {
  const { width, height } = image;
  const newWidth = width <= height ? shorter : Math.trunc((shorter * width) / height);
  const newHeight = width <= height ? Math.trunc((shorter * height) / width) : shorter;
  const pixels = resize(image, newWidth, newHeight, interpolation);
  const [left, top] = [rounded((newWidth - size) / 2), rounded((newHeight - size) / 2)];
  const input = new Float32Array(3 * size * size);
  for (let channel = 0, to = 0; channel < 3; channel++) {
    for (let y = 0; y < size; y++) {
      for (let x = 0; x < size; x++, to++) {
        const value = pixels[((top + y) * newWidth + left + x) * 3 + channel] / 255;
        input[to] = (value - mean[channel]) / std[channel];
      }
    }
  }
  return input;
}

// A small picture to show, as a JPEG: the page never holds a large one.
export async function thumbnail({ canvas, width, height }, side = 96) {
  const small = new OffscreenCanvas(side, side);
  const square = Math.min(width, height);
  small
    .getContext("2d")
    .drawImage(canvas, (width - square) / 2, (height - square) / 2, square, square, 0, 0, side, side);
  return small.convertToBlob({ type: "image/jpeg", quality: 0.8 });
}
