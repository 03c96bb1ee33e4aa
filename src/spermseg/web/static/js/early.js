// Before the first paint, so that a chosen appearance does not flash. Classic script on purpose.
(() => {
  let theme = null;
  try {
    theme = localStorage.getItem("spermseg.theme");
  } catch {
    // A browser that keeps nothing shows what the system asks for.
  }
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
})();
