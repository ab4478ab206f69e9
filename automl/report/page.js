"use strict";
(() => {
  const root = document.documentElement;
  const toggle = document.getElementById("theme");
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : dark.matches);
  const remember = (theme) => { try { localStorage.setItem("automl-theme", theme); } catch { /* a file may not */ } };
  try {
    const kept = localStorage.getItem("automl-theme");
    if (kept === "light" || kept === "dark") root.dataset.theme = kept;
  } catch { /* a file may not */ }
  toggle.hidden = false;
  toggle.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    remember(root.dataset.theme);
  });

  const make = (name, text, type) => {
    const made = document.createElement(name);
    if (text) made.textContent = text;
    if (type) made.className = type;
    return made;
  };

  for (const box of document.querySelectorAll(".code")) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = "Copy";
    button.addEventListener("click", async () => {
      const code = box.querySelector("code");
      try {
        await navigator.clipboard.writeText(code.textContent);
        button.textContent = "Copied";
      } catch {
        getSelection().selectAllChildren(code);
        button.textContent = "Selected";
      }
      setTimeout(() => { button.textContent = "Copy"; }, 1500);
    });
    box.append(button);
  }

  const sort = (heading) => {
    const body = heading.closest("table").tBodies[0];
    const rising = heading.getAttribute("aria-sort") !== "ascending";
    for (const other of heading.parentNode.cells) other.removeAttribute("aria-sort");
    heading.setAttribute("aria-sort", rising ? "ascending" : "descending");
    const key = (row) => {
      const cell = row.cells[heading.cellIndex];
      return cell.dataset.sort !== undefined ? Number(cell.dataset.sort) : cell.textContent;
    };
    const rows = [...body.rows].sort((a, b) => {
      const [x, y] = [key(a), key(b)];
      if (typeof x === "number" && typeof y === "number") return x - y;
      return String(x).localeCompare(String(y), undefined, { numeric: true });
    });
    body.append(...(rising ? rows : rows.reverse()));
  };
  for (const heading of document.querySelectorAll("table.sortable thead th")) {
    const button = make("button", heading.textContent);
    button.type = "button";
    button.addEventListener("click", () => sort(heading));
    heading.replaceChildren(button);
  }

  for (const table of document.querySelectorAll("table.long")) {
    const field = make("input", "", "filter");
    field.type = "search";
    field.placeholder = "Filter rows";
    field.setAttribute("aria-label", "Filter the rows of this table");
    field.addEventListener("input", () => {
      const wanted = field.value.toLowerCase();
      for (const row of table.tBodies[0].rows) row.hidden = !row.textContent.toLowerCase().includes(wanted);
    });
    table.parentNode.before(field);
  }

  const tip = make("div", "", "tip");
  tip.hidden = true;
  document.body.append(tip);
  for (const title of document.querySelectorAll("svg.chart g title, svg.chart rect > title, svg.chart circle > title")) {
    title.parentNode.dataset.tip = title.textContent;
    title.remove();
  }
  document.addEventListener("pointermove", (event) => {
    const marked = event.target.closest?.("[data-tip]");
    tip.hidden = !marked;
    if (!marked) return;
    tip.textContent = marked.dataset.tip;
    tip.style.left = `${Math.max(8, Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 8))}px`;
    tip.style.top = `${Math.max(8, event.clientY - tip.offsetHeight - 12)}px`;
  });

  const count = (value) => Math.round(value).toLocaleString("en-US");
  const share = (part, whole) => (whole ? `${((100 * part) / whole).toFixed(1)}%` : "–");
  const field = (text, control) => {
    const label = make("label", text);
    label.append(control);
    return label;
  };
  const number = (value) => {
    const input = make("input");
    Object.assign(input, { type: "number", min: "0", step: "any", value: String(value) });
    return input;
  };
  for (const figure of document.querySelectorAll("[data-explorer]")) {
    const facts = JSON.parse(figure.dataset.explorer);
    const controls = figure.querySelector(".controls");
    const last = facts.threshold.length - 1;
    const slider = make("input");
    Object.assign(slider, { type: "range", min: "0", max: String(last), step: "1" });
    slider.value = String(Math.max(0, facts.threshold.findIndex((at) => at >= facts.current - 1e-9)));
    const shown = make("output");
    const missing = number(1);
    const alarm = number(1);
    const cheapest = make("button", "Set to the cheapest");
    cheapest.type = "button";
    cheapest.className = "cheapest";
    const left = make("div");
    const sliding = field(`“${facts.positive}” from a probability of `, shown);
    sliding.append(slider);
    left.append(sliding, field(`Cost of missing a “${facts.positive}”`, missing), field("Cost of a false alarm", alarm), cheapest);
    const tally = make("div", "", "tally");
    tally.setAttribute("aria-live", "polite");
    const space = "http://www.w3.org/2000/svg";
    const chart = document.createElementNS(space, "svg");
    chart.setAttribute("viewBox", "0 0 720 134");
    chart.setAttribute("role", "img");
    chart.setAttribute("aria-label", "Cost by threshold");
    const draw = (name, type) => {
      const node = document.createElementNS(space, name);
      node.setAttribute("class", type);
      chart.append(node);
      return node;
    };
    const line = draw("path", "line line0");
    const marker = draw("path", "marker");
    const legend = make("p", "", "caption");
    const cell = (text, strong) => {
      const box = make("div", "", strong ? "" : "head");
      if (strong) box.append(make("b", strong));
      box.append(text);
      return box;
    };
    const price = (at) => (facts.positives - facts.hits[at]) * (Number(missing.value) || 0) + facts.alarms[at] * (Number(alarm.value) || 0);
    const show = () => {
      const at = Number(slider.value);
      const [hits, alarms] = [facts.hits[at], facts.alarms[at]];
      const rows = facts.positives + facts.negatives;
      const costs = facts.threshold.map((_, index) => price(index));
      const [low, high] = [Math.min(...costs), Math.max(...costs)];
      const x = (index) => 4 + (712 * index) / last;
      const y = (cost) => 126 - (112 * (cost - low)) / (high - low || 1);
      shown.textContent = facts.threshold[at].toFixed(2);
      line.setAttribute("d", costs.map((cost, index) => `${index ? "L" : "M"}${x(index).toFixed(1)} ${y(cost).toFixed(1)}`).join(""));
      marker.setAttribute("d", `M${x(at).toFixed(1)} 8V130`);
      legend.textContent = `Cost by threshold, 0.01 to 0.99. Here ${(costs[at] / rows).toPrecision(3)} a row, at best ${(low / rows).toPrecision(3)} (${facts.threshold[costs.indexOf(low)].toFixed(2)})`;
      tally.replaceChildren(
        cell("", ""), cell(`called “${facts.positive}”`, ""), cell(`called “${facts.negative}”`, ""),
        cell(`is “${facts.positive}”`, ""), cell("found", count(hits)), cell("missed", count(facts.positives - hits)),
        cell(`is “${facts.negative}”`, ""), cell("false alarms", count(alarms)), cell("rightly left", count(facts.negatives - alarms)),
        cell("", ""), cell("precision", share(hits, hits + alarms)), cell("recall", share(hits, facts.positives)),
        cell("", ""), cell("cost of all", count(costs[at])), cell("rows called", share(hits + alarms, rows)),
      );
    };
    for (const input of [slider, missing, alarm]) input.addEventListener("input", show);
    cheapest.addEventListener("click", () => {
      const costs = facts.threshold.map((_, index) => price(index));
      slider.value = String(costs.indexOf(Math.min(...costs)));
      show();
    });
    controls.append(left, tally, chart, legend);
    controls.hidden = false;
    show();
  }

  const links = new Map([...document.querySelectorAll("nav a")].map((link) => [link.hash.slice(1), link]));
  const seen = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (!entry.isIntersecting) continue;
      for (const link of links.values()) link.removeAttribute("aria-current");
      links.get(entry.target.id)?.setAttribute("aria-current", "true");
    }
  }, { rootMargin: "-10% 0px -80% 0px" });
  for (const section of document.querySelectorAll("main section")) seen.observe(section);
})();
