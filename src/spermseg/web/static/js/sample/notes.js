// What has to be known before a sample's figures are read, in the reader's language.
// The same rules as spermseg.report.sample_section.sample_notes.

import { number, t } from "../i18n.js";
import { criterionName, reasonText } from "../sentences.js";

const NO_SCALE = "needs the pixel size";
const ACROSOME = "acrosome_fraction";
const WANTED_SPERM = 200;

export const percent = (share, digits = 1) =>
  share?.percent == null ? "–" : t("sample.percent", { value: number(share.percent, digits) });

const lower = (text) =>
  text.charAt(0).toLocaleLowerCase(document.documentElement.lang) + text.slice(1);

export function notesOf(summary) {
  const { counted, assessable } = summary;
  return [
    scaleNote(summary),
    counted && assessable < counted / 2 && fewNote(summary),
    counted && assessable < WANTED_SPERM &&
      t("sample.note.few", { count: assessable, wanted: WANTED_SPERM }),
    acrosomeNote(summary),
    commonNote(summary),
    ...summary.replicates.filter((one) => !one.agree).map((one) =>
      t("sample.note.replicates", { slides: one.slides.join(", "),
        difference: number(one.difference, 1), acceptable: number(one.acceptable, 1) })),
  ].filter(Boolean);
}

function scaleNote({ skipped }) {
  const names = Object.keys(skipped).filter((name) => NO_SCALE in skipped[name]);
  if (!names.length) return null;
  const count = Math.max(...names.map((name) => skipped[name][NO_SCALE]));
  return t("sample.note.scale", { count, criteria: names.map(criterionName).join(", ") });
}

function fewNote({ counted, assessable, not_assessable: reasons }) {
  const [reason, times] = Object.entries(reasons)[0] ?? ["", 0];
  return t("sample.note.not_assessed", { count: counted - assessable, counted, times,
    reason: lower(reasonText(reason)), assessable });
}

function acrosomeNote({ failed, normal, normal_without: others }) {
  const share = failed[ACROSOME];
  const without = others[ACROSOME] ?? normal;
  const alone = without.count - normal.count;
  if (!share || (share.percent <= 50 && !alone)) return null;
  return t("sample.note.acrosome", { failed: share.count, total: share.total, alone,
    normal: without.count, percent: number(without.percent, 1) });
}

function commonNote({ failed }) {
  const [name, share] = Object.entries(failed)
    .filter(([criterion]) => criterion !== ACROSOME)
    .sort((a, b) => b[1].percent - a[1].percent)[0] ?? [];
  if (!share || share.percent <= 50) return null;
  return t("sample.note.common", { criterion: criterionName(name), failed: share.count,
    total: share.total });
}
