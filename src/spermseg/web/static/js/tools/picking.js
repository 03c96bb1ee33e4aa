// Which sperm and which part a tool means.

import { t } from "../i18n.js";
import { notify } from "../notify.js";
import { spermById } from "../store.js";
import { inside } from "./geometry.js";

/** The selected sperm, or undefined. */
export const selectedSperm = (store) => spermById(store.get(), store.get().selected);

/** Select the sperm at a point, or say that there is none (undefined). */
export function selectAt({ viewer, store }, point) {
  const id = viewer.spermAt(point);
  if (id === null) notify(t("tool.choose_first"));
  else store.set({ selected: id });
  return spermById(store.get(), id);
}

const covers = (sperm, point) =>
  Object.values(sperm.outlines).some((rings) => inside(point, rings));

/** The sperm that a line goes through: the selected one if it does, else the most crossed one. */
export function crossedSperm(store, line) {
  const { picture, selected } = store.get();
  const counted = picture.sperm
    .map((one) => ({ one, hits: line.filter((point) => covers(one, point)).length }))
    .filter(({ hits }) => hits);
  counted.sort((a, b) => b.hits - a.hits);
  return (counted.find(({ one }) => one.id === selected) ?? counted[0])?.one;
}

export function colourOf(store, part) {
  return store.get().workspace?.colours?.[part] ?? "#ffffff";
}

/** The parts that can be painted, as the model names them. */
export function partsOf(store) {
  return (store.get().workspace?.model?.parts ?? []).filter((part) => part.id !== 0);
}
