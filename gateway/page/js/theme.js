// Before the first paint, so not a module: the scheme that was chosen, if one was.
(() => {
  try {
    const theme = localStorage.getItem("theme");
    if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
  } catch {
    // A browser that keeps nothing for us has the system's.
  }
})();
