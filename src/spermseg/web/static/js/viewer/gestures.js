/** Mouse, pen and fingers over the viewer: panning, zooming, hovering, clicking, or the tool. */

const CLICK_DISTANCE = 4; // CSS pixels; who moves further drags.
const WHEEL_SPEED = 0.0018;
const LINE_HEIGHT = 16;
const LONGEST_WHEEL_STEP = 160;

/** Listen to a viewer's element.
 *
 * @param viewer gives `camera`, `tool`, `toPicture(clientX, clientY)`, `moved()`
 * @param on hover(point|null, event), click(point, event), doubleClick(point)
 */
export function listen(element, viewer, on) {
  const pointers = new Map();
  let drag = null; // {kind: "pan"|"tool", x, y, far}
  let spaceHeld = false;

  const place = (event) => {
    const frame = element.getBoundingClientRect();
    return { x: event.clientX - frame.left, y: event.clientY - frame.top };
  };
  const point = (event) => viewer.toPicture(event.clientX, event.clientY);

  element.addEventListener("pointerdown", (event) => {
    if (event.button > 1 || event.target.closest("button, a, input")) return;
    element.focus({ preventScroll: true });
    element.setPointerCapture(event.pointerId);
    pointers.set(event.pointerId, place(event));
    if (pointers.size === 2 && drag?.kind === "tool") viewer.tool?.cancel();
    const usesTool = viewer.tool && event.button === 0 && !spaceHeld && pointers.size === 1;
    drag = { kind: usesTool ? "tool" : "pan", ...place(event), far: pointers.size > 1 };
    if (usesTool) viewer.tool.down(point(event), event);
    event.preventDefault();
  });

  element.addEventListener("pointermove", (event) => {
    const now = place(event);
    if (!drag || !pointers.has(event.pointerId)) {
      if (viewer.tool && !spaceHeld) viewer.tool.move(point(event), event);
      on.hover(point(event), event);
      return;
    }
    const before = pointers.get(event.pointerId);
    if (drag.kind === "tool") {
      pointers.set(event.pointerId, now);
      for (const part of coalesced(event)) viewer.tool?.move(point(part), part);
      return;
    }
    drag.far ||= Math.hypot(now.x - drag.x, now.y - drag.y) > CLICK_DISTANCE;
    if (!drag.far) return;
    element.classList.add("dragging");
    if (pointers.size === 2) pinch(event.pointerId, now);
    else viewer.camera.panBy(now.x - before.x, now.y - before.y);
    pointers.set(event.pointerId, now);
    viewer.moved();
  });

  function pinch(id, now) {
    const [other] = [...pointers].filter(([key]) => key !== id).map(([, value]) => value);
    const before = pointers.get(id);
    const ratio = distance(now, other) / Math.max(distance(before, other), 1);
    viewer.camera.panBy((now.x - before.x) / 2, (now.y - before.y) / 2);
    viewer.camera.zoomAt(ratio, (now.x + other.x) / 2, (now.y + other.y) / 2);
  }

  const end = (event) => {
    if (!pointers.delete(event.pointerId) || !drag) return;
    if (drag.kind === "tool") {
      if (event.type === "pointerup") viewer.tool?.up(point(event), event);
      else viewer.tool?.cancel();
    } else if (!drag.far && event.type === "pointerup" && event.button === 0) {
      on.click(point(event), event);
    }
    if (pointers.size) drag = { ...drag, kind: "pan", far: true };
    else drag = null;
    element.classList.remove("dragging");
  };
  element.addEventListener("pointerup", end);
  element.addEventListener("pointercancel", end);
  element.addEventListener("pointerleave", (event) => on.hover(null, event));
  element.addEventListener("dblclick", (event) => {
    if (!viewer.tool) on.doubleClick(point(event));
  });

  element.addEventListener("wheel", (event) => {
    event.preventDefault();
    const unit = [1, LINE_HEIGHT, viewer.camera.view.height][event.deltaMode];
    const step = Math.max(-LONGEST_WHEEL_STEP, Math.min(LONGEST_WHEEL_STEP, event.deltaY * unit));
    // A pinch on a trackpad comes as a wheel with Ctrl, in finer steps.
    const { x, y } = place(event);
    viewer.camera.zoomAt(Math.exp(-step * WHEEL_SPEED * (event.ctrlKey ? 5 : 1)), x, y);
    viewer.moved();
    on.hover(point(event), event);
  }, { passive: false });

  element.addEventListener("keydown", (event) => {
    if (event.code !== "Space" || event.target !== element) return;
    event.preventDefault();
    spaceHeld = true;
    element.classList.add("panning");
  });
  const releaseSpace = (event) => {
    if (event.type === "keyup" && event.code !== "Space") return;
    spaceHeld = false;
    element.classList.remove("panning");
  };
  element.addEventListener("keyup", releaseSpace);
  element.addEventListener("blur", releaseSpace);
}

const distance = (a, b) => Math.hypot(a.x - b.x, a.y - b.y);

/** All the places a pen or mouse was at since the last event, for smooth strokes. */
function coalesced(event) {
  const events = event.getCoalescedEvents?.() ?? [];
  return events.length ? events : [event];
}
