/** What the server says of a sperm, in the reader's language.
 *
 * The server writes English; the keys follow its names, so that a text that is not translated is
 * shown as it came.
 */

import { hasText, number, t } from "./i18n.js";
import { verdictClass } from "./verdicts.js";

const FAILURE = /^(.*) \(([-\d.e+]+) ([<>]) ([-\d.e+]+)(?: (\w+))?\)$/;
const UNITS = { um: "µm", um2: "µm²", px: "px", px2: "px²", per_um: "1/µm", per_px: "1/px", deg: "°" };
const COLUMN = /^(.+?)_(um2?|px2?|per_um|per_px|deg)$/;

export const verdictText = (verdict) => t(`verdict.${verdictClass(verdict)}`);

/** The sentence of a failed criterion. */
export function failureText({ criterion, sentence }) {
  const [, text, value, sign, limit, unit = ""] = FAILURE.exec(sentence) ?? [null, sentence];
  const words = textOr(`failure.${keyOf(text)}`, text);
  if (value === undefined) return capital(words);
  const values = [value, limit].map((digits) => withUnit(Number(digits), unit));
  const key = sign === "<" ? "failure.below" : "failure.above";
  return capital(t(key, { text: words, value: values[0], limit: values[1], criterion }));
}

/** The name of a criterion, for tables. */
export const criterionName = (criterion) =>
  textOr(`criterion.${criterion}`, criterion.replaceAll("_", " "));

/** Why a sperm is not assessable or not counted. */
export function reasonText(reason) {
  const [, limit] = /^less than ([\d.]+) head lengths of tail in view$/.exec(reason) ?? [];
  if (limit !== undefined) return capital(t("reason.tail_view", { limit: Number(limit) }));
  const [, what] = /^(.*) not measured$/.exec(reason) ?? [];
  if (what !== undefined) return capital(t("reason.not_measured", { what: quantitiesText(what) }));
  return capital(textOr(`reason.${keyOf(reason)}`, reason));
}

/** "tail length" or "midpiece length / head length", as the server writes them. */
const quantitiesText = (names) =>
  names.split(" / ").map((name) => textOr(`measure.${keyOf(name)}`, name)).join(" / ");

/** The same in the few words a table has room for. */
export function reasonInShort(reason) {
  const key = /^less than .* of tail in view$/.test(reason) ? "tail_view" : keyOf(reason);
  return hasText(`short.${key}`) ? t(`short.${key}`) : reasonText(reason);
}

export const flagText = (flag) => textOr(`flag.${flag}`, flag.replaceAll("_", " "));

/** One sperm in a sentence, for screen readers. */
export function describe(sperm) {
  const failed = sperm.failed.map(({ criterion }) => criterionName(criterion)).join(", ");
  const why = failed || (sperm.reason ? reasonText(sperm.reason) : "");
  const start = t("sperm.sentence", { id: String(sperm.id), verdict: verdictText(sperm.verdict) });
  return why ? `${start}: ${why}` : start;
}

/** Take a column of sperm.csv apart: its quantity and its unit. */
export function quantityOf(column) {
  const [, name = column, unit = ""] = COLUMN.exec(column) ?? [];
  return { name, unit };
}

export const unitText = (unit) => UNITS[unit] ?? unit;

/** A value as it is shown: three digits that matter, and the unit. */
export function withUnit(value, unit) {
  const size = Math.abs(value);
  const decimals = size >= 100 || Number.isInteger(value) ? 0 : size >= 10 ? 1 : size >= 0.1 ? 2 : 3;
  const digits = number(value, decimals);
  if (unit === "deg") return `${digits}°`;
  return unit ? `${digits} ${unitText(unit)}` : digits;
}

/** A length of a sperm in micrometres where the pixel size is known, else in pixels; null where it
 * was not measured. */
export function measured(sperm, quantity) {
  for (const unit of ["um", "px"]) {
    const value = sperm.measurements[`${quantity}_${unit}`];
    if (value != null) return { value, unit };
  }
  return null;
}

const textOr = (key, otherwise) => (hasText(key) ? t(key) : otherwise);

const keyOf = (text) => text.toLowerCase().replace(/[^a-z0-9]+/g, "_").replace(/^_|_$/g, "");

/** With a capital letter in front. */
export const capital = (text) => text.charAt(0).toLocaleUpperCase(document.documentElement.lang) + text.slice(1);
