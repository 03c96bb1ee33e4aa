/** Texts in the reader's language. */

import { remembered } from "./dom.js";
import { store } from "./store.js";

export const LANGUAGES = { en: "English", es: "Español" };

// One file of the shell and one of the tools, so that both can be worked on.
const CATALOGUES = ["", "tools."];

let texts = {};
let plurals = new Intl.PluralRules("en");

/** The language of the last visit, else the first of the browser's that there is. */
export function preferredLanguage() {
  const wanted = [remembered.get("language"), ...navigator.languages];
  const known = wanted.map((tag) => tag?.slice(0, 2).toLowerCase()).find((tag) => tag in LANGUAGES);
  return known ?? "en";
}

/** Load a language and tell the page; `remember` for a choice of the user. */
export async function setLanguage(language, remember = false) {
  const parts = await Promise.all(CATALOGUES.map((name) => load(`${name}${language}`)));
  texts = Object.assign({}, ...parts);
  plurals = new Intl.PluralRules(language);
  document.documentElement.lang = language;
  if (remember) remembered.set("language", language);
  translate(document);
  store.set({ language });
}

async function load(name) {
  const response = await fetch(`/static/i18n/${name}.json`);
  if (!response.ok) throw new Error(`no texts: ${name}.json`);
  return response.json();
}

/** Give the text of a key, `{name}` in it replaced by values. With a `count`, the text of
 * `key.one` or `key.other`. A key without text is given as it is. */
export function t(key, values = {}) {
  const text = texts[key] ?? texts[`${key}.${plurals.select(values.count ?? 0)}`] ?? texts[`${key}.other`];
  if (text === undefined) return key;
  return text.replace(/\{(\w+)\}/g, (whole, name) => {
    const value = values[name];
    if (value === undefined) return whole;
    return typeof value === "number" ? number(value) : value;
  });
}

/** Whether there is a text of this key. */
export const hasText = (key) => key in texts;

/** Put texts where the page names their keys. */
export function translate(root) {
  for (const one of root.querySelectorAll("[data-i18n]")) one.textContent = t(one.dataset.i18n);
  for (const one of root.querySelectorAll("[data-i18n-label]")) {
    one.setAttribute("aria-label", t(one.dataset.i18nLabel));
  }
}

const formats = new Map();

/** Write a number as the language does, with at most so many decimals; `fixed` for exactly so many. */
export function number(value, decimals = 3, fixed = false) {
  const key = `${document.documentElement.lang} ${decimals} ${fixed}`;
  if (!formats.has(key)) {
    const digits = { maximumFractionDigits: decimals, minimumFractionDigits: fixed ? decimals : 0 };
    formats.set(key, new Intl.NumberFormat(document.documentElement.lang, digits));
  }
  return formats.get(key).format(value);
}
