/** The sperm of a picture, ready to be drawn and to be found under the pointer. */

/** Parts from the largest to those that lie within others. */
const DRAWING_ORDER = [3, 2, 1, 5, 4, 6];
const HEAD_PARTS = ["1", "4", "5", "6"];
const FINEST = 0.8; // CSS pixels: corners nearer to each other than about this are left out.
const CELL = 256; // Picture pixels of the grid by which sperm are found.

/** One sperm; its paths are made when it first comes into view. */
class Shape {
  constructor(sperm) {
    this.sperm = sperm;
    this.id = sperm.id;
    this.box = outlineBox(sperm) ?? sperm.bbox;
    this.head = outlineBox(sperm, HEAD_PARTS) ?? this.box;
    this.area = (this.box[2] - this.box[0]) * (this.box[3] - this.box[1]);
    this.anchor = labelPoint(sperm, this.box);
    this.paths = new Map();
  }

  /** [{part, path}] in drawing order, as fine as a zoom shows. */
  parts(zoom = 1) {
    const level = Math.max(0, Math.floor(Math.log2(FINEST / zoom)));
    if (!this.paths.has(level)) {
      const parts = DRAWING_ORDER.filter((part) => this.sperm.outlines[part]?.length);
      const paths = parts.map((part) => ({
        part: String(part),
        path: pathOf(this.sperm.outlines[part], level ? 2 ** level : 0),
      }));
      this.paths.set(level, paths);
    }
    return this.paths.get(level);
  }
}

export class Scene {
  constructor(sperm) {
    this.shapes = sperm.map((one) => new Shape(one));
    this.byId = new Map(this.shapes.map((shape) => [shape.id, shape]));
    this.grid = new Map();
    for (const shape of this.shapes) {
      for (const cell of cellsOf(shape.box)) {
        if (!this.grid.has(cell)) this.grid.set(cell, []);
        this.grid.get(cell).push(shape);
      }
    }
  }

  /** Those whose box meets a box of the picture. */
  inBox(box) {
    return this.shapes.filter((shape) => meet(shape.box, box));
  }

  /** The sperm at a point, or null: of several the smallest. `reach` picture pixels beside an
   * outline count as on it, so that thin tails can be met. */
  at(context, { x, y }, reach, isShown) {
    const around = [y - reach, x - reach, y + reach, x + reach];
    const cells = [...cellsOf(around)].flatMap((cell) => this.grid.get(cell) ?? []);
    const near = [...new Set(cells)].filter(({ box, id }) => isShown(id) && meet(box, around));
    context.lineWidth = 2 * reach;
    const inside = near.filter((shape) => shape.parts().some(({ path }) => context.isPointInPath(path, x, y, "evenodd")));
    const found = inside.length
      ? inside
      : near.filter((shape) => shape.parts().some(({ path }) => context.isPointInStroke(path, x, y)));
    return found.length ? found.reduce((a, b) => (b.area < a.area ? b : a)).id : null;
  }
}

const meet = (a, b) => a[0] < b[2] && a[2] > b[0] && a[1] < b[3] && a[3] > b[1];

/** A path of rings, of corners at least `spacing` picture pixels apart. */
function pathOf(rings, spacing) {
  const path = new Path2D();
  for (const ring of rings) {
    let [lastX, lastY] = ring[0];
    path.moveTo(lastX, lastY);
    for (const [x, y] of ring) {
      if (Math.abs(x - lastX) + Math.abs(y - lastY) < spacing) continue;
      path.lineTo(x, y);
      [lastX, lastY] = [x, y];
    }
    path.closePath();
  }
  return path;
}

function outlineBox(sperm, parts = Object.keys(sperm.outlines)) {
  let box = null;
  for (const part of parts) {
    for (const ring of sperm.outlines[part] ?? []) {
      for (const [x, y] of ring) {
        box ??= [y, x, y, x];
        if (y < box[0]) box[0] = y;
        if (x < box[1]) box[1] = x;
        if (y > box[2]) box[2] = y;
        if (x > box[3]) box[3] = x;
      }
    }
  }
  return box;
}

/** Where the number stands: beside the head, not over it; without a head at the outline's corner to
 * the upper right, as that of a tail's box may lie far from the tail. */
function labelPoint(sperm, box) {
  const head = outlineBox(sperm, HEAD_PARTS);
  if (head) return { x: head[3], y: head[0] };
  const corners = Object.values(sperm.outlines).flat(2);
  if (!corners.length) return { x: box[3], y: box[0] };
  const [x, y] = corners.reduce((a, b) => (b[0] - b[1] > a[0] - a[1] ? b : a));
  return { x, y };
}

function* cellsOf([row0, col0, row1, col1]) {
  for (let row = Math.floor(row0 / CELL); row <= Math.floor(row1 / CELL); row++) {
    for (let column = Math.floor(col0 / CELL); column <= Math.floor(col1 / CELL); column++) {
      yield `${row} ${column}`;
    }
  }
}
