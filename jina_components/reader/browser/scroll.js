// Scrolls through the page and back, so that what loads lazily begins to.
async ([maxHeight, pause]) => {
  const step = Math.max(200, Math.floor(innerHeight * 0.8));
  for (const image of document.querySelectorAll('img[loading=lazy], iframe[loading=lazy]')) image.loading = 'eager';
  for (let y = 0; y < Math.min(document.documentElement.scrollHeight, maxHeight); y += step) {
    scrollTo({ top: y, behavior: 'instant' });
    await new Promise((resolve) => setTimeout(resolve, pause));
  }
  scrollTo({ top: 0, behavior: 'instant' });
}
