// Points are {x, y} in picture pixels; the server's are [x, y].

export const distance = (a, b) => Math.hypot(a.x - b.x, a.y - b.y);

export const toPoints = (pairs) => pairs.map(([x, y]) => ({ x, y }));

const rounded = (value) => Math.round(value * 100) / 100;

export const toPairs = (points) => points.map(({ x, y }) => [rounded(x), rounded(y)]);

export const within = (point, width, height) => ({
  x: Math.min(Math.max(point.x, 0), width),
  y: Math.min(Math.max(point.y, 0), height),
});

export function lengthOf(points) {
  let sum = 0;
  for (let i = 1; i < points.length; i++) sum += distance(points[i - 1], points[i]);
  return sum;
}

/** Distance from a point to the stretch between `a` and `b`. */
export function distanceToStretch(point, a, b) {
  const dx = b.x - a.x;
  const dy = b.y - a.y;
  const squared = dx * dx + dy * dy;
  const along = squared && ((point.x - a.x) * dx + (point.y - a.y) * dy) / squared;
  const t = Math.min(Math.max(along, 0), 1);
  const across = point.x - a.x - t * dx;
  const down = point.y - a.y - t * dy;
  return Math.sqrt(across * across + down * down); // far quicker than Math.hypot
}

/** Distance from a point to a polyline, and the index of the nearest stretch. */
export function nearestStretch(point, points) {
  let best = { distance: Infinity, index: 0 };
  for (let i = 1; i < points.length; i++) {
    const found = distanceToStretch(point, points[i - 1], points[i]);
    if (found < best.distance) best = { distance: found, index: i - 1 };
  }
  return best;
}

/** Leave out what lies within `tolerance` of a straight line (Douglas and Peucker 1973). */
export function simplified(points, tolerance) {
  if (points.length < 3) return points;
  const kept = new Set([0, points.length - 1]);
  const stretches = [[0, points.length - 1]];
  while (stretches.length) {
    const [first, last] = stretches.pop();
    let farthest = first;
    let most = tolerance;
    for (let i = first + 1; i < last; i++) {
      const away = distanceToStretch(points[i], points[first], points[last]);
      if (away > most) [farthest, most] = [i, away];
    }
    if (farthest === first) continue;
    kept.add(farthest);
    stretches.push([first, farthest], [farthest, last]);
  }
  return points.filter((_, i) => kept.has(i));
}

/** Simplify to at most `most` points, by as little as that takes. */
export function atMost(points, most, tolerance) {
  // Simplifying takes the square of their number at worst: of very many every nth is enough.
  const step = Math.ceil(points.length / (2 * most));
  const thinned = points.filter((_, i) => i % step === 0 || i === points.length - 1);
  let found = simplified(thinned, tolerance);
  for (let wider = 2 * tolerance; found.length > most; wider *= 2) found = simplified(thinned, wider);
  return found;
}

/** Give `count` points at equal distances along a polyline, both ends among them. */
export function evenlySpaced(points, count) {
  const total = lengthOf(points);
  const found = [points[0]];
  let passed = 0;
  for (let i = 1; i < points.length && found.length < count - 1; i++) {
    const step = distance(points[i - 1], points[i]);
    let target = (total * found.length) / (count - 1);
    while (step > 0 && passed + step >= target && found.length < count - 1) {
      const t = (target - passed) / step;
      found.push({
        x: points[i - 1].x + t * (points[i].x - points[i - 1].x),
        y: points[i - 1].y + t * (points[i].y - points[i - 1].y),
      });
      target = (total * found.length) / (count - 1);
    }
    passed += step;
  }
  found.push(points[points.length - 1]);
  return found;
}

/** A smooth curve through all points (Catmull and Rom 1974, centripetal), every `step` pixels. */
export function smoothCurve(points, step = 2) {
  if (points.length < 3) return points.slice();
  const mirrored = (a, b) => ({ x: 2 * a.x - b.x, y: 2 * a.y - b.y });
  const last = points.length - 1;
  const all = [mirrored(points[0], points[1]), ...points, mirrored(points[last], points[last - 1])];
  const curve = [];
  for (let i = 1; i <= last; i++) {
    const pieces = Math.max(1, Math.ceil(distance(all[i], all[i + 1]) / step));
    for (let k = 0; k < pieces; k++) curve.push(between(all.slice(i - 1, i + 3), k / pieces));
  }
  curve.push(points[last]);
  return curve;
}

function between([p0, p1, p2, p3], share) {
  const gap = (a, b) => Math.max(Math.sqrt(distance(a, b)), 1e-6);
  const t1 = gap(p0, p1);
  const t2 = t1 + gap(p1, p2);
  const t3 = t2 + gap(p2, p3);
  const t = t1 + share * (t2 - t1);
  const mixed = (a, b, from, to) => ({
    x: ((to - t) * a.x + (t - from) * b.x) / (to - from),
    y: ((to - t) * a.y + (t - from) * b.y) / (to - from),
  });
  const a = mixed(p0, p1, 0, t1);
  const b = mixed(p1, p2, t1, t2);
  const c = mixed(p2, p3, t2, t3);
  return mixed(mixed(a, b, 0, t2), mixed(b, c, t1, t3), t1, t2);
}

/** The fewest evenly spaced points whose smooth curve keeps within `tolerance` of a polyline, but for
 * a twentieth of it: a kink at one end should not fill the whole line with handles. */
export function fewHandles(points, tolerance, most = 16) {
  let handles = points;
  for (let count = 4; count <= most; count++) {
    handles = evenlySpaced(points, count);
    const curve = smoothCurve(handles);
    const missed = points.filter((point) => nearestStretch(point, curve).distance > tolerance);
    if (missed.length <= points.length / 20) break;
  }
  return handles;
}

/** Whether a point lies inside closed rings of [x, y], filled even-odd. */
export function inside(point, rings) {
  let odd = false;
  for (const ring of rings) {
    for (let i = 0, j = ring.length - 1; i < ring.length; j = i++) {
      const [x0, y0] = ring[i];
      const [x1, y1] = ring[j];
      const crosses = y0 > point.y !== y1 > point.y;
      if (crosses && point.x < ((x1 - x0) * (point.y - y0)) / (y1 - y0) + x0) odd = !odd;
    }
  }
  return odd;
}
