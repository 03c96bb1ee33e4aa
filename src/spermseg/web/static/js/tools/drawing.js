// What tools draw over the picture, in picture pixels: strokes, lines, handles, the brush's circle.
// Lines and handles are as wide on the screen at any zoom.

const HALO = "rgba(0, 0, 0, 0.65)";
const LIGHT = "#ffffff";

function trace(context, points) {
  context.beginPath();
  for (const { x, y } of points) context.lineTo(x, y);
}

function rounded(context) {
  context.lineCap = "round";
  context.lineJoin = "round";
}

/** A stroke as wide as the pixels it takes; without colour, as it erases, pale with a dark edge. */
export function drawStroke(context, { zoom }, points, radius, colour) {
  const width = Math.max(2 * radius, 1 / zoom);
  context.save();
  rounded(context);
  trace(context, points.length > 1 ? points : [points[0], points[0]]);
  context.globalAlpha = 0.6;
  if (!colour) {
    context.strokeStyle = "#000000";
    context.lineWidth = width + 3 / zoom;
    context.stroke();
  }
  context.strokeStyle = colour ?? LIGHT;
  context.lineWidth = width;
  context.stroke();
  context.restore();
}

/** A thin line, seen on any ground. */
export function drawLine(context, { zoom }, points, { colour = LIGHT, dash = [] } = {}) {
  if (points.length < 2) return;
  context.save();
  rounded(context);
  trace(context, points);
  context.strokeStyle = HALO;
  context.lineWidth = 4 / zoom;
  context.stroke();
  context.setLineDash(dash.map((length) => length / zoom));
  context.strokeStyle = colour;
  context.lineWidth = 2 / zoom;
  context.stroke();
  context.restore();
}

/** A line between two short bars, as on a drawing with measures. */
export function drawRule(context, viewer, [a, b], colour) {
  drawLine(context, viewer, [a, b], { colour });
  const length = Math.hypot(b.x - a.x, b.y - a.y);
  if (!length) return;
  const half = 8 / viewer.zoom / length;
  const across = { x: -(b.y - a.y) * half, y: (b.x - a.x) * half };
  for (const end of [a, b]) {
    const one = { x: end.x + across.x, y: end.y + across.y };
    const other = { x: end.x - across.x, y: end.y - across.y };
    drawLine(context, viewer, [one, other], { colour });
  }
}

export function drawHandle(context, { zoom }, { x, y }, { active = false, colour = LIGHT } = {}) {
  const circle = (radius) => {
    context.beginPath();
    context.arc(x, y, radius / zoom, 0, 2 * Math.PI);
  };
  context.save();
  circle(active ? 8.5 : 6.5);
  context.fillStyle = HALO;
  context.fill();
  circle(active ? 7 : 5);
  context.fillStyle = active ? colour : LIGHT;
  context.fill();
  context.lineWidth = 2 / zoom;
  context.strokeStyle = active ? LIGHT : colour;
  context.stroke();
  context.restore();
}

/** The circle that a brush would take here. */
export function drawBrush(context, { zoom }, { x, y }, radius, colour) {
  context.save();
  for (const [stroke, width] of [[HALO, 3.5], [colour ?? LIGHT, 1.8]]) {
    context.beginPath();
    context.arc(x, y, Math.max(radius, 1.5 / zoom), 0, 2 * Math.PI);
    context.strokeStyle = stroke;
    context.lineWidth = width / zoom;
    context.stroke();
  }
  context.restore();
}

/** Fill and outline a sperm, as chosen for what comes next. */
export function drawChosen(context, { zoom }, sperm, colour) {
  const path = new Path2D();
  for (const ring of Object.values(sperm.outlines).flat()) {
    ring.forEach(([x, y], i) => (i ? path.lineTo(x, y) : path.moveTo(x, y)));
    path.closePath();
  }
  context.save();
  context.fillStyle = context.strokeStyle = colour;
  context.lineWidth = 2.5 / zoom;
  context.stroke(path);
  context.globalAlpha = 0.5;
  context.fill(path, "evenodd");
  context.restore();
}
