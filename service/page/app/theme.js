// Runs before the first paint, so that a chosen theme does not flash. "auto" follows the system.
try {
  const chosen = localStorage.getItem("slimdial-theme");
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
} catch {
  // The browser is told to keep nothing.
}
