() => {
  // Ctrl-Enter (Cmd-Enter on a Mac) presses the button of the tab that one writes in.
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
    const button = event.target.closest?.(".pg-product")?.querySelector(".pg-run");
    if (!button) return;
    event.preventDefault();
    event.stopPropagation();
    button.click();
  }, true);
}
