// Ends when the document has stood still for so many milliseconds.
(quiet) => new Promise((resolve) => {
  let timer = 0;
  const restart = () => { clearTimeout(timer); timer = setTimeout(done, quiet); };
  const observer = new MutationObserver(restart);
  const done = () => { observer.disconnect(); resolve(true); };
  observer.observe(document, { childList: true, subtree: true, characterData: true });
  restart();
})
