#include "samebits/report/html_page.h"

#include "samebits/report/html_plot.h"

namespace samebits {
namespace {

constexpr const char* kStyle = R"css(
:root { color-scheme: light dark; --text: #1b1f24; --faint: #5b6570; --back: #fff; --line: #d5dae0;
  --good: #1a7f37; --bad: #b3261e; --warn: #8a5a00; --mark: #0b5cad; }
@media (prefers-color-scheme: dark) { :root { --text: #e6e9ed; --faint: #a0a9b4; --back: #14171a;
  --line: #363c44; --good: #4ac26b; --bad: #ff8a80; --warn: #e3b341; --mark: #79b8ff; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem; max-width: 72rem; font: 16px/1.5 system-ui, sans-serif;
  color: var(--text); background: var(--back); }
h1 { margin: .2rem 0; font-size: 1.6rem; line-height: 1.25; }
h2 { margin: 2.2rem 0 .6rem; font-size: 1.2rem; border-bottom: 1px solid var(--line); }
h3 { margin: 1rem 0 .3rem; font-size: 1rem; }
.verdict { display: inline-block; margin: 0; padding: .1rem .7rem; border: 2px solid; border-radius: 1rem;
  font-weight: 700; }
.same, .clean { color: var(--good); } .different { color: var(--bad); } .risk, .unknown { color: var(--warn); }
header .proof { color: var(--faint); margin: 0; }
h3 .proof, .id { color: var(--faint); font-weight: 400; }
.id { margin: 0; font-family: ui-monospace, monospace; font-size: .85rem; }
.role { display: inline-block; min-width: 6.5rem; }
.cause .role { color: var(--bad); } .contributes .role, .finding.risk .role { color: var(--warn); }
.finding.risk { color: inherit; } .finding.note .role { color: var(--faint); }
.remedy { font-weight: 600; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; }
th, td { text-align: left; padding: .25rem .6rem; border-bottom: 1px solid var(--line); vertical-align: top; }
td { overflow-wrap: break-word; } td.name { overflow-wrap: anywhere; min-width: 12rem; }
th.number, .number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
th button { all: unset; cursor: pointer; font-weight: 700; }
th button:focus-visible, input:focus-visible, summary:focus-visible { outline: 2px solid var(--mark); outline-offset: 2px; }
label { display: block; margin: .4rem 0; }
input { font: inherit; padding: .2rem .4rem; width: min(24rem, 100%); color: inherit; background: var(--back);
  border: 1px solid var(--faint); border-radius: .3rem; }
figure { margin: .5rem 0; } figure.square { max-width: 24rem; } figcaption { color: var(--faint); }
svg { width: 100%; height: auto; } td svg { width: auto; height: 2.2rem; }
svg text { fill: var(--faint); font-size: 12px; }
.grid { stroke: var(--line); } .axis { stroke: var(--faint); } .stem { stroke: var(--bad); stroke-opacity: .35; }
.floor { fill: var(--faint); fill-opacity: .22; }
.differs { fill: var(--bad); } .equal { fill: var(--good); } .bar { fill: var(--mark); }
footer { margin-top: 2rem; color: var(--faint); font-size: .85rem; }
@media print { body { max-width: none; padding: 0; font-size: 11px; } input, label { display: none; }
  details > * { display: block; } section { break-inside: auto; } h2, h3 { break-after: avoid; } }
)css";

constexpr const char* kScript = R"js(
for (const table of document.querySelectorAll("table.sortable")) {
  table.querySelectorAll("thead th").forEach((head, column) => {
    const button = document.createElement("button");
    button.textContent = head.textContent;
    button.type = "button";
    head.replaceChildren(button);
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      table.querySelectorAll("thead th").forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const body = table.tBodies[0];
      const key = (row) => {
        const cell = row.cells[column];
        return cell.dataset.key === undefined ? cell.textContent : Number(cell.dataset.key);
      };
      const rows = [...body.rows].map((row) => [key(row), row]);
      rows.sort(([a], [b]) => (typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b))));
      if (down) rows.reverse();
      body.replaceChildren(...rows.map(([, row]) => row));
    });
  });
}
for (const table of document.querySelectorAll("table.filterable")) {
  const label = document.createElement("label");
  const input = document.createElement("input");
  const count = document.createElement("span");
  count.setAttribute("role", "status");
  input.type = "search";
  label.append("Show rows with ", input, " ", count);
  table.parentElement.before(label);
  input.addEventListener("input", () => {
    const wanted = input.value.toLowerCase();
    let shown = 0;
    for (const row of table.tBodies[0].rows) {
      row.hidden = !row.textContent.toLowerCase().includes(wanted);
      shown += row.hidden ? 0 : 1;
    }
    count.textContent = wanted ? shown + " of " + table.tBodies[0].rows.length : "";
  });
}
)js";

}  // namespace

std::string html_page(const std::string& title, const std::string& body,
                      const std::string& footer) {
  return "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
         "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
         // Nothing is fetched, whatever a file's names hold.
         "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
         "'unsafe-inline'; script-src 'unsafe-inline'; img-src data:\">\n"
         "<link rel=\"icon\" href=\"data:,\">\n<title>" +
         html_text(title) + "</title>\n<style>" + kStyle + "</style>\n</head>\n<body>\n" + body +
         "<footer>" + html_text(footer) + "</footer>\n<script>" + kScript +
         "</script>\n</body>\n</html>\n";
}

}  // namespace samebits
