"use strict";
(() => {
  const form = document.getElementById("filter");
  const claims = [...document.querySelectorAll("article.claim")];
  const papers = [...document.querySelectorAll("section.paper")];
  const rows = [...document.querySelectorAll("#by-paper-table tbody tr")];
  const value = (id) => document.getElementById(id).value;
  const found = document.getElementById("found");

  const apply = () => {
    const words = value("search").toLowerCase().split(/\s+/).filter(Boolean);
    const [family, paper, kind, verdict] = ["by-family", "by-paper", "by-kind", "by-verdict"].map(value);
    const filtering = words.length || family || paper || kind || verdict;
    const left = new Map();
    let count = 0;
    for (const claim of claims) {
      const d = claim.dataset;
      const shown = (!family || d.family === family) && (!paper || d.paper === paper) && (!kind || d.kind === kind) &&
        (!verdict || (verdict === "unexpected" ? "unexpected" in d : d.verdict === verdict)) &&
        words.every((word) => d.search.includes(word));
      claim.hidden = !shown;
      if (shown) { count += 1; left.set(d.paper, (left.get(d.paper) || 0) + 1); }
    }
    for (const part of [...papers, ...rows]) part.hidden = Boolean(filtering) && !left.has(part.dataset.paper);
    found.textContent = filtering ? `${count} of ${claims.length} claims` : `${claims.length} claims`;
  };
  let waiting = 0;
  form.addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(apply, 60); });
  form.addEventListener("reset", () => setTimeout(apply, 0));
  form.addEventListener("submit", (event) => event.preventDefault());

  const reveal = () => {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!target) return;
    const hidden = target.closest("[hidden]");
    if (hidden) { form.reset(); apply(); }
    for (let node = target; node; node = node.parentElement) if (node.tagName === "DETAILS") node.open = true;
    target.scrollIntoView();
  };
  addEventListener("hashchange", reveal);
  reveal();
  const folded = [];
  addEventListener("beforeprint", () => {
    for (const d of document.querySelectorAll("main details:not(.source):not([open])")) { d.open = true; folded.push(d); }
  });
  addEventListener("afterprint", () => { while (folded.length) folded.pop().open = false; });
})();
