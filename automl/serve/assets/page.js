"use strict";
// The page asks the server it came from and nobody else; all that is shown is set as text.
const place = (id) => document.getElementById(id);
let schema = null;

function make(name, text, kind) {
  const element = document.createElement(name);
  if (text !== undefined) element.textContent = text;
  if (kind) element.className = kind;
  return element;
}

async function ask(path, body) {
  const headers = {};
  const token = place("token").value;
  if (token) headers["Authorization"] = "Bearer " + token;
  if (body) headers["Content-Type"] = "application/json";
  const options = { headers, method: body ? "POST" : "GET" };
  if (body) options.body = JSON.stringify(body);
  const response = await fetch(path, options);
  const record = await response.json();
  if (!response.ok) throw Object.assign(new Error(record.error || record.detail), { status: response.status });
  return record;
}

function field(column) {
  const label = make("label", column.name + " ");
  let input;
  if (column.role === "category" && column.levels.length && column.levels.length === column.levels_in_all) {
    input = make("select");
    for (const level of ["", ...column.levels]) {
      const option = make("option", level === "" ? "(missing)" : level);
      option.value = level;
      input.append(option);
    }
    input.value = column.example === null ? "" : column.example;
  } else if (column.role === "image") {
    input = make("input");
    input.type = "file";
    input.accept = "image/*";
  } else {
    input = make(column.role === "text" ? "textarea" : "input");
    if (column.role === "number") input.inputMode = "decimal";
    input.value = column.example === null ? "" : column.example;
  }
  input.dataset.column = column.name;
  input.dataset.role = column.role;
  label.append(input);
  return label;
}

function readFile(file) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result);
    reader.onerror = () => reject(new Error("The file cannot be read"));
    reader.readAsDataURL(file);
  });
}

async function cells() {
  const row = {};
  for (const input of place("cells").querySelectorAll("[data-column]")) {
    const name = input.dataset.column;
    if (input.dataset.role === "image") row[name] = input.files.length ? await readFile(input.files[0]) : null;
    else if (input.value === "") row[name] = null;
    else row[name] = input.dataset.role === "number" && input.value.trim() !== "" && Number.isFinite(Number(input.value))
      ? Number(input.value) : input.value;
  }
  return row;
}

function show(...elements) { place("answer").replaceChildren(...elements); }

function showPrediction(record) {
  const first = record.predictions[0];
  const parts = [make("p", schema.target + ": " + first.prediction, "result")];
  if (first.probabilities) {
    const table = make("table");
    const ranked = Object.entries(first.probabilities).sort((one, other) => other[1] - one[1]).slice(0, 20);
    for (const [name, share] of ranked) {
      const line = make("tr");
      const meter = make("meter");
      meter.value = share;
      const bar = make("td");
      bar.append(meter);
      line.append(make("th", name), bar, make("td", share.toFixed(4), "number"));
      table.append(line);
    }
    parts.push(table);
  }
  for (const warning of record.warnings || []) parts.push(make("p", warning));
  show(...parts);
}

function showExplanation(record) {
  const what = record.class === null ? "value" : "probability of " + record.class;
  const table = make("table");
  for (const entry of record.contributions.slice(0, 20)) {
    const line = make("tr");
    const sign = entry.contribution >= 0 ? "+" : "−";
    line.append(make("th", entry.column), make("td", sign + Math.abs(entry.contribution).toPrecision(3), "number"));
    table.append(line);
  }
  const told = "The " + what + " is " + record.output.toPrecision(4) + "; usual is " + record.base.toPrecision(4) +
    ". What each column adds:";
  show(make("p", told), table);
}

async function run(path, display) {
  show(make("p", "…"));
  try {
    display(await ask(path, { rows: [await cells()] }));
  } catch (error) {
    show(make("p", error.message, "error"));
  }
}

async function begin() {
  try {
    schema = await ask("schema");
  } catch (error) {
    place("access").hidden = error.status !== 401;
    place("about").textContent = error.message;
    return;
  }
  place("access").hidden = true;
  place("title").textContent = schema.model;
  place("about").textContent = "Predicts " + schema.target + " from " + schema.columns.length + " columns. Version " +
    schema.version + ". The row below is made up of what is usual.";
  place("cells").replaceChildren(...schema.columns.map(field));
  place("row").hidden = false;
}

place("access").addEventListener("submit", (event) => { event.preventDefault(); begin(); });
place("row").addEventListener("submit", (event) => { event.preventDefault(); run("predict", showPrediction); });
place("explain").addEventListener("click", () => run("explain", showExplanation));
begin();
