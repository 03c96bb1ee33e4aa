// A button with a panel below it: closed by Esc and by a click elsewhere unless it is to stay.

import { el } from "../dom.js";
import { t } from "../i18n.js";
import { icon } from "./icons.js";

/**
 * @param {object} options `name` for ids and classes, `icon`, `content()` gives the panel's children,
 *   `stays`: clicks elsewhere leave it open, `onToggle(open)`
 */
export function makePopover({ name, icon: iconName, content, stays = false, onToggle }) {
  const id = `${name}-panel`;
  const text = el("span", { class: "text" });
  const button = el("button", { type: "button", class: "opener", "aria-expanded": "false",
    "aria-controls": id, onclick: () => toggle(panel.hidden) }, icon(iconName), text);
  const body = el("div", { class: "popover-body" });
  const close = el("button", { type: "button", class: "leave", onclick: () => toggle(false) },
    icon("close"));
  const panel = el("div", { id, class: "popover", role: "dialog", hidden: true }, close, body);
  const element = el("div", { class: `popover-host ${name}` }, button, panel);

  function toggle(open, focus = true) {
    if (open === !panel.hidden) return;
    panel.hidden = !open;
    button.setAttribute("aria-expanded", String(open));
    onToggle?.(open);
    if (open) refresh();
    if (focus) (open ? body.querySelector("input, button, a") ?? close : button).focus();
  }

  function refresh() {
    close.setAttribute("aria-label", t("close"));
    if (panel.hidden) return;
    const place = controls().indexOf(document.activeElement);
    body.replaceChildren(...content().filter(Boolean));
    if (place >= 0) (controls()[place] ?? close).focus();
  }

  const controls = () => [...body.querySelectorAll("input, button:not(:disabled), a")];

  element.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || panel.hidden) return;
    event.stopPropagation();
    toggle(false);
  });
  document.addEventListener("pointerdown", (event) => {
    if (!stays && !element.contains(event.target)) toggle(false, false);
  });
  return {
    element,
    panel,
    toggle,
    refresh,
    get isOpen() {
      return !panel.hidden;
    },
    /** Name the button; `shown` is written beside its icon. */
    label(label, shown = "") {
      text.textContent = shown;
      button.setAttribute("aria-label", shown ? `${label}: ${shown}` : label);
      button.title = label;
      panel.setAttribute("aria-label", label);
    },
  };
}
