/** Language and appearance, remembered for the next visit. */

import { byId, el, remembered } from "./dom.js";
import { LANGUAGES, setLanguage, t } from "./i18n.js";

const THEMES = ["auto", "light", "dark"];

export function initSettings(store) {
  const language = byId("language");
  language.append(...Object.entries(LANGUAGES).map(([value, name]) => el("option", { value, lang: value }, name)));
  language.addEventListener("change", () => setLanguage(language.value, true));

  const theme = byId("theme");
  const update = () => {
    language.value = store.get().language;
    theme.replaceChildren(...THEMES.map((value) => el("option", { value }, t(`theme.${value}`))));
    theme.value = store.get().theme;
  };
  theme.addEventListener("change", () => {
    remembered.set("theme", theme.value);
    store.set({ theme: theme.value });
  });
  store.subscribe(({ theme }) => {
    if (theme === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
  }, "theme");
  store.subscribe(update, "language", "theme");
  const before = remembered.get("theme");
  if (THEMES.includes(before)) store.set({ theme: before });
  update();
}
