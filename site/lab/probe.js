// A linear probe: logistic regression on features that are computed once (helpers.features.linear_probe in Python).

const C = 0.01; // inverse strength of the L2 penalty; small, since there are more channels than images

// Train on rows of features (Float32Array each) and their labels 0..classes-1.
// Returns the head for features as they are: { weight: classes rows of channels, bias: classes }.
export function train(rows, labels, classes) {
  const channels = rows[0].length;
  const { mean, std } = statistics(rows);
  const x = rows.map((row) => Float64Array.from(row, (value, i) => (value - mean[i]) / std[i]));
  // scikit-learn has one vector of weights for two classes, and here are two that mirror each other: the same
  // penalty on them weighs half as much.
  const strength = classes === 2 ? C / 2 : C;

  // The parameters lie in one array: for each class its weights, then its bias, which is not penalised.
  const stride = channels + 1;
  const loss = (w, gradient) => {
    gradient.fill(0);
    let sum = 0;
    x.forEach((row, n) => {
      const p = softmax(scores(row, w, classes));
      sum -= Math.log(p[labels[n]]) * strength;
      for (let k = 0; k < classes; k++) {
        const error = (p[k] - (labels[n] === k ? 1 : 0)) * strength;
        const at = k * stride;
        for (let i = 0; i < channels; i++) gradient[at + i] += error * row[i];
        gradient[at + channels] += error;
      }
    });
    for (let k = 0; k < classes; k++) {
      for (let i = k * stride; i < k * stride + channels; i++) {
        sum += (w[i] * w[i]) / 2;
        gradient[i] += w[i];
      }
    }
    return sum;
  };
  const w = minimise(loss, classes * stride);

  const weight = [];
  const bias = new Float32Array(classes);
  for (let k = 0; k < classes; k++) {
    const of_class = w.subarray(k * stride, k * stride + channels).map((value, i) => value / std[i]);
    bias[k] = w[k * stride + channels] - of_class.reduce((sum, value, i) => sum + value * mean[i], 0);
    weight.push(Float32Array.from(of_class));
  }
  return { weight, bias };
}

// The probability of each class for one row of features.
export function predict({ weight, bias }, row) {
  return softmax(weight.map((w, k) => w.reduce((sum, value, i) => sum + value * row[i], bias[k])));
}

function statistics(rows) {
  const channels = rows[0].length;
  const mean = new Float64Array(channels);
  const std = new Float64Array(channels);
  for (const row of rows) for (let i = 0; i < channels; i++) mean[i] += row[i] / rows.length;
  for (const row of rows) for (let i = 0; i < channels; i++) std[i] += (row[i] - mean[i]) ** 2 / rows.length;
  // A feature that is the same for all images (but for rounding) stays as it is.
  return { mean, std: std.map((value, i) => (Math.sqrt(value) > 1e-6 * Math.abs(mean[i]) ? Math.sqrt(value) : 1)) };
}

function scores(row, w, classes) {
  const stride = row.length + 1;
  return Array.from({ length: classes }, (_, k) => {
    let sum = w[k * stride + row.length];
    for (let i = 0; i < row.length; i++) sum += w[k * stride + i] * row[i];
    return sum;
  });
}

export function softmax(logits) {
  const largest = Math.max(...logits);
  const powers = Array.from(logits, (value) => Math.exp(value - largest));
  const total = powers.reduce((a, b) => a + b, 0);
  return powers.map((value) => value / total);
}

const dot = (a, b) => a.reduce((sum, value, i) => sum + value * b[i], 0);

// L-BFGS (Liu and Nocedal, 1989): steps along the gradient, bent by what the last few steps said about the curvature.
function minimise(loss, size, memory = 10, tolerance = 1e-6) {
  let w = new Float64Array(size);
  let gradient = new Float64Array(size);
  let value = loss(w, gradient);
  const steps = [];
  for (let iteration = 0; iteration < 500 && Math.max(...gradient.map(Math.abs)) > tolerance; iteration++) {
    const direction = gradient.map((g) => -g);
    const weights = [];
    for (const { s, y, rho } of steps.toReversed()) {
      const a = rho * dot(s, direction);
      weights.push(a);
      y.forEach((v, i) => (direction[i] -= a * v));
    }
    const last = steps.at(-1);
    const scale = last ? dot(last.s, last.y) / dot(last.y, last.y) : 1 / Math.max(1, Math.sqrt(dot(gradient, gradient)));
    direction.forEach((v, i) => (direction[i] = v * scale));
    for (const { s, y, rho } of steps) {
      const change = weights.pop() - rho * dot(y, direction);
      s.forEach((v, i) => (direction[i] += change * v));
    }
    // Half the step until the loss falls enough (Armijo).
    const slope = dot(gradient, direction);
    let length = 1;
    let next, nextGradient, nextValue;
    do {
      next = w.map((v, i) => v + length * direction[i]);
      nextGradient = new Float64Array(size);
      nextValue = loss(next, nextGradient);
      length /= 2;
    } while (nextValue > value + 1e-4 * length * slope && length > 1e-10);
    const s = next.map((v, i) => v - w[i]);
    const y = nextGradient.map((v, i) => v - gradient[i]);
    const curvature = dot(s, y);
    if (!(curvature > 1e-14)) return next; // nothing left to gain in these numbers
    steps.push({ s, y, rho: 1 / curvature });
    if (steps.length > memory) steps.shift();
    [w, gradient, value] = [next, nextGradient, nextValue];
  }
  return w;
}

// The 95 % interval of a share (Wilson, 1927): `right` of `total`.
export function interval(right, total) {
  const z = 1.96;
  const share = right / total;
  const centre = (share + (z * z) / (2 * total)) / (1 + (z * z) / total);
  const half = (z / (1 + (z * z) / total)) * Math.sqrt((share * (1 - share)) / total + (z * z) / (4 * total * total));
  return [centre - half, centre + half];
}

// Numbers in 0..1 that look random and are the same each time (mulberry32).
export function random(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

export function shuffled(list, next) {
  const copy = [...list];
  for (let i = copy.length - 1; i > 0; i--) {
    const j = Math.floor(next() * (i + 1));
    [copy[i], copy[j]] = [copy[j], copy[i]];
  }
  return copy;
}

// Train on four fifths of each class, measure on the rest, and see how few images would have done.
// `examples` holds the rows of features of each class.
export function experiment(examples, each = [1, 2, 5, 10], draws = 5) {
  const next = random(0);
  const classes = examples.length;
  const split = examples.map((rows) => {
    const mixed = shuffled(rows, next);
    const held = Math.max(1, Math.round(rows.length / 5));
    return { held: mixed.slice(0, held), rest: mixed.slice(held) };
  });
  const fit = (per_class) => train(per_class.flat(), per_class.flatMap((rows, k) => rows.map(() => k)), classes);
  const answers = (head) => split.flatMap(({ held }, k) => held.map((row) => [k, best(predict(head, row))]));
  const right = (head) => answers(head).filter(([truth, said]) => truth === said).length;
  const total = split.reduce((sum, { held }) => sum + held.length, 0);

  const start = performance.now();
  const head = fit(split.map(({ rest }) => rest));
  const seconds = (performance.now() - start) / 1000;
  const fewest = Math.min(...split.map(({ rest }) => rest.length));
  const curve = each
    .filter((count) => count < fewest)
    .map((count) => {
      const shares = Array.from({ length: draws }, () => right(fit(split.map(({ rest }) => shuffled(rest, next).slice(0, count)))) / total);
      return { count, low: Math.min(...shares), mean: shares.reduce((a, b) => a + b) / draws, high: Math.max(...shares) };
    });
  const shares = right(head) / total;
  curve.push({ count: fewest, all: true, low: shares, mean: shares, high: shares });
  return { head, right: right(head), total, seconds, curve, trained: split.reduce((sum, { rest }) => sum + rest.length, 0) };
}

export const best = (values) => values.indexOf(Math.max(...values));
