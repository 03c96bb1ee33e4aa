/** The numbers beside the sperm, with the verdict as a shape: drawn once, then copied. */

import { drawVerdict } from "../verdicts.js";

const HEIGHT = 16;
const FONT = "600 11px system-ui, sans-serif";
const CELL = { width: 20, height: 14 }; // Of the grid that keeps numbers off one another.

export class Labels {
  constructor() {
    this.sprites = new Map();
  }

  /** Draw the numbers of shapes, in CSS pixels; where two would collide the first one stays. */
  draw(context, camera, ratio, shapes, marked = false) {
    const taken = new Set();
    // Numbers stay over the picture, whose border is often that of the view.
    const origin = camera.toScreen(0, 0);
    const corner = camera.toScreen(camera.picture.width, camera.picture.height);
    for (const { sperm, anchor } of shapes) {
      const place = camera.toScreen(anchor.x, anchor.y);
      const sprite = this.sprite(sperm, ratio, marked);
      const x = Math.round(Math.min(place.x + 2, corner.x - sprite.width / ratio));
      const y = Math.round(Math.max(place.y - HEIGHT + 2, origin.y));
      const cells = cellsOf(x, y, sprite.width / ratio);
      if (!marked && cells.some((cell) => taken.has(cell))) continue;
      for (const cell of cells) taken.add(cell);
      context.drawImage(sprite, x, y, sprite.width / ratio, sprite.height / ratio);
    }
  }

  sprite(sperm, ratio, marked) {
    const key = [sperm.id, sperm.verdict, sperm.corrected, ratio, marked].join("|");
    if (!this.sprites.has(key)) this.sprites.set(key, drawn(sperm, ratio, marked));
    return this.sprites.get(key);
  }
}

function* rowsAndColumns(x, y, width) {
  for (let row = Math.floor(y / CELL.height); row <= Math.floor((y + HEIGHT - 1) / CELL.height); row++) {
    for (let column = Math.floor(x / CELL.width); column <= Math.floor((x + width - 1) / CELL.width); column++) {
      yield `${row} ${column}`;
    }
  }
}

const cellsOf = (x, y, width) => [...rowsAndColumns(x, y, width)];

function drawn(sperm, ratio, marked) {
  const canvas = document.createElement("canvas");
  const context = canvas.getContext("2d");
  const text = String(sperm.id) + (sperm.corrected ? " ✎" : "");
  context.font = FONT;
  const width = Math.ceil(context.measureText(text).width) + 20;
  canvas.width = Math.ceil(width * ratio);
  canvas.height = Math.ceil(HEIGHT * ratio);
  context.scale(ratio, ratio);
  context.fillStyle = marked ? "#ffffff" : "rgba(18, 22, 30, 0.74)";
  context.beginPath();
  context.roundRect(0, 0, width, HEIGHT, HEIGHT / 2);
  context.fill();
  drawVerdict(context, sperm.verdict, 8.5, HEIGHT / 2, marked);
  context.font = FONT;
  context.textBaseline = "middle";
  context.fillStyle = marked ? "#12161e" : "#ffffff";
  context.fillText(text, 15, HEIGHT / 2 + 0.5);
  return canvas;
}
