// The strip of tools, the tool in hand, and the keys of all of them.

import { byId, el, isTyping } from "../dom.js";
import { t } from "../i18n.js";
import { add } from "./add.js";
import { brush } from "./brush.js";
import { deleteSelected } from "./delete.js";
import { makeEditor } from "./editing.js";
import { eraser } from "./eraser.js";
import { openHelp } from "./help.js";
import { icon } from "./icons.js";
import { merge } from "./merge.js";
import { makeOptions } from "./options.js";
import { makePointer } from "./pointer.js";
import { makeSettings } from "./settings.js";
import { split } from "./split.js";
import { tail } from "./tail.js";

const keyName = (key) => (key.length > 1 ? t(`key.${key}`) : key);
const TOOLS = [brush, eraser, split, merge, tail, add];

/** Put the tools beside the picture.
 *
 * @returns {object} `editor`, `choose(name|null)`, and `addTool(kind)` for tools that are taken
 *   elsewhere than from the strip
 */
export function initTools({ viewer, store, api }) {
  const editor = makeEditor({ viewer, store, api });
  const settings = makeSettings();
  const app = { viewer, store, api, editor, settings, choose, showOptions };
  const options = makeOptions(app, byId("tool-options"));
  const kinds = [...TOOLS];
  const buttons = new Map();
  let kind = null;
  let tool = null;
  let pointer = null;

  const canEdit = () => store.get().picture?.status === "done";

  function choose(name) {
    tool?.leave?.();
    tool?.cancel();
    kind = (canEdit() && kinds.find((one) => one.name === name)) || null;
    tool = null;
    tool = kind?.make(app) ?? null;
    pointer = tool && makePointer(app, tool);
    viewer.setTool(tool && inHand(tool));
    store.set({ tool: kind?.name ?? null });
    for (const [one, button] of buttons) button.setAttribute("aria-pressed", one === kind?.name);
    showOptions();
    viewer.redraw();
  }

  function inHand(one) {
    return {
      cursor: one.cursor,
      down: (point, event) => (pointer.hide(), one.down(point, event)),
      move: (point, event) => one.move(point, event),
      up: (point, event) => one.up(point, event),
      cancel: () => one.cancel(),
      draw(context) {
        one.draw(context, viewer);
        pointer.draw(context);
      },
    };
  }

  function showOptions() {
    options.show(kind, tool);
  }

  function escape() {
    if (tool.busy?.()) tool.cancel();
    else if (!tool.escape?.()) choose(null);
  }

  function keyOfTool(event) {
    if (event.key === "Escape") escape();
    else if (event.key === ",") settings.step(-1);
    else if (event.key === ".") settings.step(1);
    else if (/^[1-9]$/.test(event.key) && options.choosePart(Number(event.key))) return true;
    else return tool.key?.(event) || (event.target === viewer.element && pointer.key(event));
    return true;
  }

  function keyWithoutTool(event) {
    if (event.key === "Delete" || event.key === "Backspace") deleteSelected(app);
    else if (event.key === "?") openHelp();
    else {
      const found = TOOLS.find((one) => one.key === event.key.toLowerCase());
      if (!found) return false;
      choose(found === kind ? null : found.name);
    }
    return true;
  }

  function onKey(event) {
    if (isTyping(event) || event.ctrlKey || event.metaKey || event.altKey) return;
    if (store.get().page !== "pictures" && event.key !== "?") return;
    if ((tool && keyOfTool(event)) || ((canEdit() || event.key === "?") && keyWithoutTool(event))) {
      event.preventDefault();
      event.stopPropagation();
    }
  }

  function button(name, key, onclick) {
    const shown = key.length === 1 && el("kbd", { "aria-hidden": "true" }, key);
    return el("button", { type: "button", class: "tool", "data-key": key, onclick }, icon(name), shown);
  }

  function build() {
    const bar = byId("tools");
    for (const one of TOOLS) {
      buttons.set(one.name, button(one.name, one.key.toUpperCase(),
        () => choose(one === kind ? null : one.name)));
    }
    const remove = button("delete", "Delete", () => deleteSelected(app));
    const help = button("help", "?", openHelp);
    bar.replaceChildren(...buttons.values(), remove, el("span", { class: "gap" }), help);
    const named = [...buttons, ["delete", remove], ["help", help]];
    return () => {
      bar.setAttribute("aria-label", t("tool.bar"));
      for (const [name, one] of named) {
        one.setAttribute("aria-label", t(`tool.${name}`));
        one.title = `${t(`tool.${name}`)} (${keyName(one.dataset.key)})`;
      }
      for (const one of [...buttons.values(), remove]) one.disabled = !canEdit();
    };
  }

  const refresh = build();
  showOptions();
  refresh();
  document.addEventListener("keydown", onKey, true);
  viewer.element.addEventListener("pointerleave", () => tool?.hide?.());
  store.subscribe(() => (refresh(), showOptions()), "language");
  store.subscribe(() => tool?.selectionChanged?.(), "selected");
  store.subscribe(() => {
    refresh();
    if (kind && !canEdit()) choose(null);
    else tool?.pictureChanged?.();
  }, "picture");
  store.subscribe(({ tool: wanted }) => wanted !== (kind?.name ?? null) && choose(wanted), "tool");
  settings.subscribe(() => (showOptions(), viewer.redraw()));
  viewer.addLayer((context) => editor.drawPending(context));
  return { editor, choose, addTool: (one) => kinds.push(one) };
}
