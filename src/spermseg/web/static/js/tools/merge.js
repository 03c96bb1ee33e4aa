// Make one sperm of several.

import { el } from "../dom.js";
import { t } from "../i18n.js";
import { notify } from "../notify.js";
import { spermById } from "../store.js";
import { drawChosen } from "./drawing.js";

const COLOUR = "#56b4e9";

export const merge = {
  name: "merge",
  key: "m",
  options: [],
  make(app) {
    const { viewer, store, editor } = app;
    const first = store.get().selected;
    let chosen = first === null ? [] : [first];

    function choose(ids) {
      chosen = ids;
      app.showOptions();
      viewer.redraw();
    }

    const toggle = (id) =>
      choose(chosen.includes(id) ? chosen.filter((one) => one !== id) : [...chosen, id]);

    function apply() {
      if (chosen.length < 2) return;
      const [kept] = chosen;
      const told = t("tool.merge.done", { sperm: chosen.join(", "), kept });
      editor.submit({ type: "merge", sperm: chosen }, { choose: () => kept, told });
      app.choose(null);
    }

    function chip(id) {
      const label = t("tool.merge.leave_out", { sperm: id });
      const remove = () => toggle(id);
      return el("button", { type: "button", class: "chip", "aria-label": label, onclick: remove },
        `${id}`, el("span", { class: "cross", "aria-hidden": "true" }, "×"));
    }

    return {
      cursor: "pointer",
      down(point) {
        const id = viewer.spermAt(point);
        if (id === null) notify(t("tool.merge.hint"));
        else toggle(id);
      },
      move() {},
      up() {},
      cancel() {},
      key(event) {
        if (event.key !== "Enter" || chosen.length < 2) return false;
        apply();
        return true;
      },
      /** The selection, as from the table, is offered beside what was clicked. */
      selectionChanged: () => app.showOptions(),
      panel() {
        const { selected } = store.get();
        const more = selected !== null && !chosen.includes(selected);
        return [
          el("span", { class: "chips" }, ...chosen.map(chip)),
          more && el("button", { type: "button", onclick: () => toggle(selected) },
            t("tool.merge.add", { sperm: selected })),
          el("button", { type: "button", class: "primary", disabled: chosen.length < 2,
            onclick: apply }, t("tool.merge.apply")),
        ];
      },
      draw(context) {
        for (const id of chosen) {
          const sperm = spermById(store.get(), id);
          if (sperm) drawChosen(context, viewer, sperm, COLOUR);
        }
      },
    };
  },
};
