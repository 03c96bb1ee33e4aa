/** Make an element: `el("p", { class: "quiet", onclick: f }, "text", child)`.
 *
 * `true` sets an attribute without value; `null`, `undefined` and `false` leave it out; a function
 * under `on...` becomes a listener. Children that are null or false are left out.
 */
export function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value == null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child != null && child !== false));
  return element;
}

export const byId = (id) => document.getElementById(id);

/** Whether a key press is meant for a field rather than for the page. */
export function isTyping(event) {
  const target = event.target;
  if (!(target instanceof HTMLElement)) return false;
  if (target.isContentEditable || target.closest("dialog[open]")) return true;
  if (target instanceof HTMLInputElement) return !["checkbox", "radio", "button"].includes(target.type);
  return target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement;
}

/** Call `work` at most once a frame, with the arguments of the last call. */
export function onceAFrame(work) {
  let pending = null;
  return (...args) => {
    if (pending === null) requestAnimationFrame(() => {
      const latest = pending;
      pending = null;
      work(...latest);
    });
    pending = args;
  };
}

/** What the browser keeps between visits; nothing where it refuses to. */
export const remembered = {
  get(name) {
    try {
      return localStorage.getItem(`spermseg.${name}`);
    } catch {
      return null;
    }
  },
  set(name, value) {
    try {
      localStorage.setItem(`spermseg.${name}`, value);
    } catch {
      // Private windows may refuse: the choice then lasts as long as the page.
    }
  },
};
