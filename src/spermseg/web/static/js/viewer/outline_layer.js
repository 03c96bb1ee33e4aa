/** The canvas of the outlines: drawn wider than the view, then moved along with the picture.
 *
 * Hundreds of outlines take longer than a frame. While the picture is dragged nothing is drawn as
 * long as the margin lasts; while it is zoomed the last drawing is stretched, and made anew as soon
 * as there is time.
 */

const MARGIN = 320; // CSS pixels
const FRAME_MS = 1000 / 60;
const QUICK_MS = 6; // A drawing that delays a frame by no more than this is made at every frame.
const PAUSE = 4; // Otherwise so many times as long as it took is waited before the next one.

export class OutlineLayer {
  /** @param draw (context, camera): what is to be drawn for a camera */
  constructor(context, draw) {
    this.context = context;
    this.draw = draw;
    this.drawn = null; // the camera of the last drawing
    this.isOld = true;
    this.cost = 0; // milliseconds by which the last drawing delayed a frame
    this.time = 0; // when it was made
  }

  /** What is drawn is no longer right. */
  forget() {
    this.isOld = true;
  }

  /** Show the outlines as a camera sees them; gives whether they are to be drawn better later. */
  update(camera, ratio) {
    const isStretched = this.drawn?.zoom !== camera.zoom;
    const hasToWait = isStretched && !this.isOld && performance.now() - this.time < this.pause;
    if (!hasToWait && (this.isOld || isStretched || !this.drawn.covers(camera))) {
      this.render(camera.wider(MARGIN), ratio);
    }
    this.place(camera, ratio);
    return this.drawn.zoom !== camera.zoom;
  }

  get pause() {
    return this.cost <= QUICK_MS ? 0 : PAUSE * this.cost;
  }

  render(camera, ratio) {
    const { canvas } = this.context;
    const start = performance.now();
    const [width, height] = [camera.view.width, camera.view.height].map((side) => Math.round(side * ratio));
    if (canvas.width !== width || canvas.height !== height) {
      Object.assign(canvas, { width, height });
      canvas.style.setProperty("width", `${camera.view.width}px`);
      canvas.style.setProperty("height", `${camera.view.height}px`);
    }
    this.context.resetTransform();
    this.context.clearRect(0, 0, width, height);
    this.draw(this.context, camera);
    this.drawn = camera;
    this.isOld = false;
    this.time = performance.now();
    // Browsers only note what to draw and do it before the next frame.
    requestAnimationFrame(() => {
      this.cost = performance.now() - start - FRAME_MS;
    });
  }

  /** Move the canvas to where its picture is, on whole device pixels while it keeps its size. */
  place(camera, ratio) {
    const { x, y } = camera.toScreen(this.drawn.left, this.drawn.top);
    const stretch = camera.zoom / this.drawn.zoom;
    const [across, down] = stretch === 1 ? [x, y].map((value) => Math.round(value * ratio) / ratio) : [x, y];
    this.context.canvas.style.setProperty("transform", `translate(${across}px, ${down}px) scale(${stretch})`);
  }
}
