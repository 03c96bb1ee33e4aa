/** The picture's pixels: a pyramid of tiles, of which only those in view are fetched. */

const TILE = 512;
const AT_ONCE = 4; // Browsers open six connections to a server; one listens to its events.
const KEPT = 192; // Tiles of 1 MiB each.
const TRY_AGAIN_MS = 3000;
const PIXELATED_FROM = 4; // Device pixels a picture pixel, from which on pixels are shown as squares.

export class Tiles {
  /** @param fetchTile (id, level, x, y, signal) => Promise<Blob>
   * @param onLoad called when a tile has come */
  constructor(fetchTile, onLoad) {
    this.fetchTile = fetchTile;
    this.onLoad = onLoad;
    this.loaded = new Map(); // key: ImageBitmap, the least recently drawn first
    this.loading = new Map(); // key: AbortController
    this.failed = new Map(); // key: time
    this.wanted = [];
    this.picture = null;
  }

  /** Show another picture: {id, width, height} or null. */
  open(picture) {
    for (const controller of this.loading.values()) controller.abort();
    for (const bitmap of this.loaded.values()) bitmap.close();
    this.loading.clear();
    this.loaded.clear();
    this.failed.clear();
    this.wanted = [];
    this.picture = picture;
    this.lastLevel = picture
      ? Math.max(0, Math.ceil(Math.log2(Math.max(picture.width, picture.height) / TILE)))
      : 0;
  }

  /** Draw what is in view of the camera, and fetch what is missing. */
  draw(context, camera, ratio) {
    if (!this.picture) return;
    const level = this.levelFor(camera.zoom * ratio);
    const visible = this.inBox(camera.box, level);
    context.imageSmoothingEnabled = camera.zoom * ratio < PIXELATED_FROM;
    for (const tile of visible) this.drawTile(context, camera, ratio, tile);
    this.want(visible, camera, level);
  }

  /** The coarsest level that has at least a pixel for every pixel of the screen. */
  levelFor(scale) {
    return Math.min(Math.max(Math.floor(-Math.log2(scale) + 0.01), 0), this.lastLevel);
  }

  inBox([row0, col0, row1, col1], level) {
    const span = TILE * 2 ** level;
    const last = {
      x: Math.ceil(this.picture.width / span) - 1,
      y: Math.ceil(this.picture.height / span) - 1,
    };
    const tiles = [];
    for (let y = Math.max(Math.floor(row0 / span), 0); y <= Math.min(Math.floor(row1 / span), last.y); y++) {
      for (let x = Math.max(Math.floor(col0 / span), 0); x <= Math.min(Math.floor(col1 / span), last.x); x++) {
        tiles.push({ level, x, y });
      }
    }
    return tiles;
  }

  /** Draw a tile, or as long as it is not there the piece of the finest coarser one that is. */
  drawTile(context, camera, ratio, { level, x, y }) {
    const span = TILE * 2 ** level;
    const [left, top] = [x * span, y * span];
    const right = Math.min(left + span, this.picture.width);
    const bottom = Math.min(top + span, this.picture.height);
    // Whole device pixels, so that no seam shows between neighbours.
    const device = (value, origin) => Math.round((value - origin) * camera.zoom * ratio);
    const [x0, x1] = [device(left, camera.left), device(right, camera.left)];
    const [y0, y1] = [device(top, camera.top), device(bottom, camera.top)];
    for (let above = level; above <= this.lastLevel; above++) {
      const aboveSpan = TILE * 2 ** above;
      const [aboveX, aboveY] = [Math.floor(left / aboveSpan), Math.floor(top / aboveSpan)];
      const bitmap = this.use(`${above}/${aboveX}/${aboveY}`);
      if (!bitmap) continue;
      const scale = 2 ** -above;
      context.drawImage(
        bitmap,
        (left - aboveX * aboveSpan) * scale, (top - aboveY * aboveSpan) * scale,
        (right - left) * scale, (bottom - top) * scale,
        x0, y0, x1 - x0, y1 - y0,
      );
      return;
    }
  }

  use(key) {
    const bitmap = this.loaded.get(key);
    if (bitmap) {
      this.loaded.delete(key);
      this.loaded.set(key, bitmap);
    }
    return bitmap;
  }

  /** Fetch the whole at its coarsest first, then what is in view from the middle outwards, then a
   * ring around it; whatever is no longer among these is cancelled. */
  want(visible, camera, level) {
    const [row0, col0, row1, col1] = camera.box;
    const [x, y] = [(col0 + col1) / 2, (row0 + row1) / 2];
    const span = TILE * 2 ** level;
    const distance = (tile) => Math.hypot((tile.x + 0.5) * span - x, (tile.y + 0.5) * span - y);
    const nearFirst = (a, b) => distance(a) - distance(b);
    const ring = this.inBox([row0 - span / 2, col0 - span / 2, row1 + span / 2, col1 + span / 2], level);
    const wanted = [
      ...this.inBox([0, 0, this.picture.height - 1, this.picture.width - 1], this.lastLevel),
      ...visible.sort(nearFirst),
      ...ring.sort(nearFirst),
    ];
    this.wanted = [...new Set(wanted.map((tile) => `${tile.level}/${tile.x}/${tile.y}`))];
    const keys = new Set(this.wanted);
    for (const [key, controller] of this.loading) {
      if (!keys.has(key)) {
        controller.abort();
        this.loading.delete(key);
      }
    }
    this.fetchNext();
  }

  fetchNext() {
    const now = performance.now();
    for (const key of this.wanted) {
      if (this.loading.size >= AT_ONCE) return;
      if (this.loaded.has(key) || this.loading.has(key)) continue;
      if (now - (this.failed.get(key) ?? -Infinity) < TRY_AGAIN_MS) continue;
      this.fetch(key);
    }
  }

  async fetch(key) {
    const controller = new AbortController();
    this.loading.set(key, controller);
    const [level, x, y] = key.split("/").map(Number);
    try {
      const blob = await this.fetchTile(this.picture.id, level, x, y, controller.signal);
      const bitmap = await createImageBitmap(blob);
      if (controller.signal.aborted) bitmap.close();
      else this.keep(key, bitmap);
    } catch {
      // Cancelled, or to be tried again later; a coarser tile stands in for it.
      if (!controller.signal.aborted) {
        this.failed.set(key, performance.now());
        setTimeout(() => this.fetchNext(), TRY_AGAIN_MS + 50);
      }
    }
    if (controller.signal.aborted) return;
    this.loading.delete(key);
    this.onLoad();
    this.fetchNext();
  }

  keep(key, bitmap) {
    this.loaded.set(key, bitmap);
    for (const [oldest, old] of this.loaded) {
      if (this.loaded.size <= KEPT) break;
      if (oldest.startsWith(`${this.lastLevel}/`)) continue;
      old.close();
      this.loaded.delete(oldest);
    }
  }
}
