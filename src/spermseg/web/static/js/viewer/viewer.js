/** The picture with its outlines: draws when something changed, and hands the pointer to tools. */

import { onceAFrame } from "../dom.js";
import { filteredSperm, spermById } from "../store.js";
import { Camera } from "./camera.js";
import { listen } from "./gestures.js";
import { Labels } from "./labels.js";
import { OutlineLayer } from "./outline_layer.js";
import { drawMarked, drawShapes } from "./overlay.js";
import { Scene } from "./scene.js";
import { Tiles } from "./tiles.js";

const USUAL_HEAD_PX = 60; // Where the picture's own is not known.
const NUMBERED_FROM = 15; // CSS pixels: on shorter heads numbers would hide more than they tell.
const REACH = 5; // CSS pixels beside a line that count as on it.

/** A tool is `{cursor, down(point, event), move(point, event), up(point, event), cancel(),
 * draw(context, viewer)}`; points are {x, y} in picture pixels, and so is what `draw` draws: a line
 * of k CSS pixels is `k / viewer.zoom` wide. */
export class Viewer {
  constructor(element, store, api) {
    this.element = element;
    this.store = store;
    this.camera = new Camera();
    this.tool = null;
    this.scene = new Scene([]);
    this.shown = new Set();
    this.labels = new Labels();
    this.followers = new Set();
    this.guests = [];
    this.layers = ["tiles", "outlines", "marks"].map((name) => {
      const canvas = document.createElement("canvas");
      canvas.className = `layer ${name}`;
      element.append(canvas);
      return canvas.getContext("2d");
    });
    this.outlines = new OutlineLayer(this.layers[1], (context, camera) => this.drawOutlines(context, camera));
    this.dirty = [false, false, false];
    this.frame = null;
    this.tiles = new Tiles(api.tile, () => this.redrawLayers(0));
    this.observe();
  }

  get zoom() {
    return this.camera.zoom;
  }

  get ratio() {
    return window.devicePixelRatio || 1;
  }

  /** Picture pixels of a place in the window. */
  toPicture(clientX, clientY) {
    const frame = this.element.getBoundingClientRect();
    return this.camera.toPicture(clientX - frame.left, clientY - frame.top);
  }

  /** CSS pixels, from the viewer's upper left corner, of a place in the picture. */
  toScreen(x, y) {
    return this.camera.toScreen(x, y);
  }

  /** Id of the shown sperm at a point of the picture, or null. */
  spermAt(point) {
    const reach = REACH / this.zoom;
    const marks = this.layers[2];
    marks.save();
    marks.resetTransform();
    const id = this.scene.at(marks, point, reach, (one) => this.shown.has(one));
    marks.restore();
    return id;
  }

  /** Take a tool in hand, or none. */
  setTool(tool) {
    if (this.tool === tool) return;
    this.tool?.cancel();
    this.tool = tool;
    this.element.style.setProperty("--tool-cursor", tool?.cursor ?? "grab");
    this.redraw();
  }

  /** Let `draw(context, viewer)` draw over the marks, in picture pixels, whatever the tool. */
  addLayer(draw) {
    this.guests.push(draw);
  }

  /** Draw what lies over the outlines again: marks and the tool. */
  redraw() {
    this.redrawLayers(2);
  }

  redrawLayers(...layers) {
    for (const layer of layers) this.dirty[layer] = true;
    if (layers.includes(1)) this.outlines.forget();
    this.askForFrame();
  }

  askForFrame() {
    this.frame ??= requestAnimationFrame(() => this.draw());
  }

  /** To be called after the camera moved. */
  moved() {
    this.redrawLayers(0, 2);
    for (const follow of this.followers) follow(this);
  }

  /** Call `work(viewer)` whenever the camera moved. */
  onMove(work) {
    this.followers.add(work);
    work(this);
  }

  fit() {
    this.camera.fit();
    this.moved();
  }

  zoomBy(factor) {
    this.camera.zoomAt(factor);
    this.moved();
  }

  /** Bring a sperm into view, and close where `close`. */
  reveal(id, close = false) {
    const shape = this.scene.byId.get(id);
    if (!shape) return;
    const [row0, col0, row1, col1] = shape.box;
    if (close) this.camera.show(shape.box);
    else if (!this.camera.sees(shape.box)) this.camera.centreOn((col0 + col1) / 2, (row0 + row1) / 2);
    else return;
    this.moved();
  }

  /** Show a sperm from near; where that is what is seen already, its head from nearer. */
  closeUp(id) {
    const shape = this.scene.byId.get(id);
    if (!shape) return;
    const before = this.camera.box.join();
    this.camera.show(shape.box);
    if (this.camera.box.join() === before) this.camera.show(shape.head);
    this.moved();
  }

  draw() {
    this.frame = null;
    const [tiles, , marks] = this.layers;
    if (this.take(0)) this.tiles.draw(cleared(tiles), this.camera, this.ratio);
    if (this.outlines.update(this.camera, this.ratio)) this.askForFrame();
    if (this.take(2)) this.drawMarks(cleared(marks));
  }

  /** Whether a layer has to be drawn, which it then is. */
  take(layer) {
    const dirty = this.dirty[layer];
    this.dirty[layer] = false;
    return dirty;
  }

  drawOutlines(context, camera) {
    const { show, selected, picture } = this.store.get();
    if (!picture || !show.overlay || show.opacity === 0) return;
    const shapes = this.scene.inBox(camera.box).filter(({ id }) => this.isDrawn(id));
    const dimmed = (id) => show.only === "dim" && selected !== null && id !== selected;
    this.inPicture(context, camera);
    const headLength = picture.scale?.head_length_px ?? USUAL_HEAD_PX;
    drawShapes(context, camera.zoom, shapes, { ...this.style, opacity: show.opacity, dimmed, headLength });
    if (!show.numbers || headLength * camera.zoom < NUMBERED_FROM) return;
    this.inScreen(context);
    this.labels.draw(context, camera, this.ratio, shapes.filter(({ id }) => !dimmed(id)));
  }

  drawMarks(context) {
    if (!this.store.get().picture) return;
    const { show, selected, hovered } = this.store.get();
    const marked = [...new Set([selected, hovered])].map((id) => this.scene.byId.get(id)).filter(Boolean);
    if (show.overlay) {
      this.inPicture(context);
      for (const shape of marked) drawMarked(context, this.zoom, shape, this.style);
      this.inScreen(context);
      this.labels.draw(context, this.camera, this.ratio, marked, true);
    }
    this.inPicture(context);
    context.save();
    for (const guest of this.guests) guest(context, this);
    this.tool?.draw(context, this);
    context.restore();
  }

  get style() {
    const { workspace, show } = this.store.get();
    return { colours: workspace?.colours ?? {}, hiddenParts: show.hiddenParts };
  }

  /** Whether a sperm is in the picture now: not filtered out, not hidden beside the selected one. */
  isDrawn(id) {
    const { show, selected } = this.store.get();
    return this.shown.has(id) && (show.only !== "hide" || selected === null || id === selected);
  }

  /** Let a context draw in picture pixels. */
  inPicture(context, { zoom, left, top } = this.camera) {
    const scale = zoom * this.ratio;
    context.setTransform(scale, 0, 0, scale, -left * scale, -top * scale);
  }

  /** Let a context draw in CSS pixels. */
  inScreen(context) {
    context.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
  }

  observe() {
    const { store, element } = this;
    new ResizeObserver(() => this.resize()).observe(element);
    // A window that moves to a screen of other density keeps its size in CSS pixels.
    window.addEventListener("resize", () => this.resize());
    store.subscribe((state, changed) => this.show(state, changed), "picture", "filter");
    store.subscribe(() => this.redrawLayers(1), "show", "workspace");
    store.subscribe(() => this.redrawLayers(2), "show", "hovered", "selected");
    store.subscribe(({ show }) => {
      if (show.only !== "all") this.redrawLayers(1);
    }, "selected");
    store.subscribe(({ show }) => this.setLight(show), "show");
    const hover = onceAFrame((point) => {
      element.classList.toggle("over-sperm", false);
      const id = point && !this.tool ? this.spermAt(point) : null;
      element.classList.toggle("over-sperm", id !== null);
      store.set({ hovered: id });
    });
    listen(element, this, {
      hover,
      click: (point) => store.set({ selected: this.spermAt(point) }),
      doubleClick: (point) => {
        const id = this.spermAt(point);
        if (id !== null) this.closeUp(id);
      },
    });
  }

  show(state, changed) {
    const { picture } = state;
    if (changed.includes("picture")) {
      const isOther = picture?.id !== this.tiles.picture?.id;
      this.scene = new Scene(picture?.sperm ?? []);
      if (isOther) {
        this.tool?.cancel();
        this.tiles.open(picture && { id: picture.id, width: picture.width, height: picture.height });
        this.camera.picture = { width: picture?.width ?? 1, height: picture?.height ?? 1 };
        this.camera.fit();
      }
      if (isOther || !spermById(state, state.selected)) this.store.set({ selected: null });
      this.store.set({ hovered: null });
    }
    this.shown = new Set(filteredSperm(this.store.get()).map(({ id }) => id));
    this.redrawLayers(1);
    this.moved();
  }

  setLight({ contrast, brightness }) {
    const { style } = this.layers[0].canvas;
    style.filter = contrast === 1 && brightness === 1 ? "none" : `brightness(${brightness}) contrast(${contrast})`;
  }

  resize() {
    const { camera, element, ratio } = this;
    const wasFit = camera.isFit;
    camera.view = { width: Math.max(element.clientWidth, 1), height: Math.max(element.clientHeight, 1) };
    for (const { canvas } of [this.layers[0], this.layers[2]]) {
      canvas.width = Math.round(camera.view.width * ratio);
      canvas.height = Math.round(camera.view.height * ratio);
    }
    if (wasFit) camera.fit();
    else camera.keepInSight();
    this.redrawLayers(1);
    this.moved();
    // Resizing has emptied the canvases: without drawing at once they would flash.
    cancelAnimationFrame(this.frame);
    this.draw();
  }
}

function cleared(context) {
  context.resetTransform();
  context.clearRect(0, 0, context.canvas.width, context.canvas.height);
  return context;
}
