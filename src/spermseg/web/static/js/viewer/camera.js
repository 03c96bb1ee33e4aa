/** Which part of a picture is seen, and how large. Lengths on the screen are CSS pixels. */

const LARGEST_ZOOM = 32;
const FIT_MARGIN = 12;
const EDGE = 8; // CSS pixels around the picture into which outlines may reach.

export class Camera {
  constructor() {
    this.zoom = 1; // CSS pixels a picture pixel
    this.left = 0; // picture point at the view's upper left corner
    this.top = 0;
    this.picture = { width: 1, height: 1 };
    this.view = { width: 1, height: 1 };
  }

  get fitZoom() {
    const { picture, view } = this;
    const across = (view.width - 2 * FIT_MARGIN) / picture.width;
    const down = (view.height - 2 * FIT_MARGIN) / picture.height;
    return Math.max(Math.min(across, down, LARGEST_ZOOM), 1e-4);
  }

  get isFit() {
    return Math.abs(this.zoom / this.fitZoom - 1) < 1e-6;
  }

  /** A camera that sees `margin` CSS pixels more on each side; of a picture that then has room
   * enough, all of it. */
  wider(margin) {
    const wider = Object.assign(new Camera(), this);
    wider.view = { width: this.view.width + 2 * margin, height: this.view.height + 2 * margin };
    const start = (origin, length, seen) =>
      length + (2 * EDGE) / this.zoom <= seen ? (length - seen) / 2 : origin - margin / this.zoom;
    wider.left = start(this.left, this.picture.width, wider.view.width / this.zoom);
    wider.top = start(this.top, this.picture.height, wider.view.height / this.zoom);
    return wider;
  }

  /** Whether all of the picture that another camera sees, and its edge, is seen by this one too. */
  covers(other) {
    const [own, seen] = [this.box, other.box];
    const edge = EDGE / this.zoom;
    const low = [-edge, -edge];
    const high = [this.picture.height + edge, this.picture.width + edge];
    return [0, 1].every(
      (axis) =>
        own[axis] <= Math.max(seen[axis], low[axis]) + 1e-6 &&
        own[axis + 2] >= Math.min(seen[axis + 2], high[axis]) - 1e-6,
    );
  }

  /** The picture's whole, in the middle. */
  fit() {
    this.zoom = this.fitZoom;
    this.centreOn(this.picture.width / 2, this.picture.height / 2);
  }

  centreOn(x, y) {
    this.left = x - this.view.width / this.zoom / 2;
    this.top = y - this.view.height / this.zoom / 2;
    this.keepInSight();
  }

  panBy(dx, dy) {
    this.left -= dx / this.zoom;
    this.top -= dy / this.zoom;
    this.keepInSight();
  }

  /** Zoom so that the point of the view at (x, y) stays where it is. */
  zoomAt(factor, x = this.view.width / 2, y = this.view.height / 2) {
    const before = this.toPicture(x, y);
    const least = Math.min(this.fitZoom / 2, 1);
    this.zoom = Math.min(Math.max(this.zoom * factor, least), LARGEST_ZOOM);
    this.left = before.x - x / this.zoom;
    this.top = before.y - y / this.zoom;
    this.keepInSight();
  }

  /** Show a box (row0, col0, row1, col1) with room around it; never smaller than it is now. */
  show([row0, col0, row1, col1]) {
    const room = 0.6 * Math.min(this.view.width / (col1 - col0), this.view.height / (row1 - row0));
    this.zoom = Math.min(Math.max(room, this.fitZoom), 4);
    this.centreOn((col0 + col1) / 2, (row0 + row1) / 2);
  }

  /** Whether a box lies within the view, at least `least` CSS pixels long. */
  sees([row0, col0, row1, col1], least = 0) {
    const low = this.toScreen(col0, row0);
    const high = this.toScreen(col1, row1);
    return (
      low.x >= 0 && low.y >= 0 && high.x <= this.view.width && high.y <= this.view.height &&
      Math.max(high.x - low.x, high.y - low.y) >= least
    );
  }

  /** What is seen, in picture pixels: [row0, col0, row1, col1]. */
  get box() {
    const { left, top, zoom, view } = this;
    return [top, left, top + view.height / zoom, left + view.width / zoom];
  }

  toPicture(x, y) {
    return { x: this.left + x / this.zoom, y: this.top + y / this.zoom };
  }

  toScreen(x, y) {
    return { x: (x - this.left) * this.zoom, y: (y - this.top) * this.zoom };
  }

  /** A picture smaller than the view is centred; of a larger one some always stays in view. */
  keepInSight() {
    this.left = kept(this.left, this.picture.width, this.view.width / this.zoom);
    this.top = kept(this.top, this.picture.height, this.view.height / this.zoom);
  }
}

function kept(start, length, seen) {
  if (length <= seen) return (length - seen) / 2;
  const beyond = seen / 2;
  return Math.min(Math.max(start, -beyond), length - seen + beyond);
}
