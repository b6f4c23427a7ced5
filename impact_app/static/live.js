// Keeps a page's live part as it is on the server, until the server says that nothing changes any more.
(() => {
  const part = document.querySelector('[data-live]');
  if (!part) return;

  const look = async () => {
    if (!document.hidden) {
      try {
        const answer = await fetch(part.dataset.live, { headers: { Accept: 'text/html' } });
        const page = new DOMParser().parseFromString(await answer.text(), 'text/html');
        const fresh = answer.ok && page.getElementById(part.id);
        if (fresh) show(fresh);
      } catch {
        // The server is away for a moment.
      }
    }
    if (part.dataset.live) setTimeout(look, part.dataset.every * 1000);
  };

  const show = (fresh) => {
    for (const name of ['live', 'every']) {
      if (fresh.dataset[name]) part.dataset[name] = fresh.dataset[name];
      else delete part.dataset[name];
    }
    // What did not change is left alone, so that nobody loses their place.
    const shown = new Map([...part.querySelectorAll('[data-part]')].map((one) => [one.dataset.part, one]));
    for (const one of fresh.querySelectorAll('[data-part]')) {
      const old = shown.get(one.dataset.part);
      if (old && old.textContent !== one.textContent) old.replaceWith(document.importNode(one, true));
    }
  };

  setTimeout(look, part.dataset.every * 1000);
})();
