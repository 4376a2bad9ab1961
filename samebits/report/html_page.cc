#include "samebits/report/html_page.h"

#include "samebits/report/html_parts.h"

namespace samebits {
namespace {

// m0 to m5: how far something changed. u0 to u6: what bytes are for, as ByteUse counts them.
constexpr const char* kStyle = R"css(
:root { color-scheme: light dark; --text: #1b1f24; --faint: #57606a; --back: #fff; --line: #d5dae0;
  --good: #1a7f37; --bad: #b3261e; --warn: #8a5a00; --mark: #0b5cad; --panel: #f4f6f8;
  --m0: #e2f3e7; --t0: #14532d; --m1: #fff4d6; --m2: #ffe2a8; --m3: #ffc27a; --t1: #402c00;
  --m4: #e8743b; --t4: #1b0a00; --m5: #a61b12; --t5: #fff; --alone: #dbe7f6; --talone: #0b3a6b;
  --u0: #0b5cad; --u1: #0f766e; --u2: #7c3aed; --u3: #b45309; --u4: #5b6570; --u5: #868e97; --u6: #b3261e; }
@media (prefers-color-scheme: dark) { :root { --text: #e6e9ed; --faint: #a0a9b4; --back: #14171a;
  --line: #363c44; --good: #4ac26b; --bad: #ff8a80; --warn: #e3b341; --mark: #79b8ff; --panel: #1d2126;
  --m0: #16301f; --t0: #a4e5b9; --m1: #3a3115; --m2: #554312; --m3: #7a5310; --t1: #fff1d0;
  --m4: #a94c18; --t4: #fff; --m5: #ff7a6e; --t5: #2b0000; --alone: #1d3450; --talone: #c0dbff;
  --u0: #79b8ff; --u1: #4fd1c5; --u2: #b794f6; --u3: #f0a35e; --u4: #a0a9b4; --u5: #6d7681; --u6: #ff8a80; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem; max-width: 76rem; font: 16px/1.5 system-ui, sans-serif;
  color: var(--text); background: var(--back); overflow-wrap: anywhere; }
h1 { margin: .4rem 0 .2rem; font-size: 1.6rem; line-height: 1.25; }
h2 { margin: 1.8rem 0 .5rem; font-size: 1.2rem; border-bottom: 1px solid var(--line); }
h3 { margin: 1rem 0 .3rem; font-size: 1rem; }
a { color: var(--mark); }
.verdict { display: inline-block; margin: 0; padding: .1rem .7rem; border: 2px solid; border-radius: 1rem;
  font-weight: 700; }
.verdict.same, .verdict.clean, .good { color: var(--good); } .verdict.different, .bad { color: var(--bad); }
.verdict.risk, .verdict.unknown { color: var(--warn); }
header .proof { color: var(--faint); margin: 0; }
.command { margin: .6rem 0 0; padding: .4rem .7rem; background: var(--panel); border-radius: .3rem; }
code { font-family: ui-monospace, monospace; font-size: .85rem; }
nav ul { display: flex; flex-wrap: wrap; gap: .2rem 1.2rem; margin: .8rem 0 0; padding: 0; list-style: none; font-size: .9rem; }
h3 .proof, .id { color: var(--faint); font-weight: 400; }
.id { margin: 0; font-family: ui-monospace, monospace; font-size: .85rem; }
.finding { border-left: 4px solid var(--line); padding-left: .9rem; margin: 1rem 0; }
.finding.cause { border-color: var(--bad); } .finding.contributes, .finding.risk { border-color: var(--warn); }
.role { margin-right: .6rem; text-transform: uppercase; font-size: .8rem; letter-spacing: .04em; }
.cause .role { color: var(--bad); } .contributes .role, .finding.risk .role { color: var(--warn); }
.finding.note .role { color: var(--faint); }
.finding ul { margin: .3rem 0; padding-left: 1.2rem; }
.remedy { font-weight: 600; margin: .3rem 0; }
.wide { overflow-x: auto; margin: .5rem 0; }
.wide:focus-visible, a:focus-visible, button:focus-visible, input:focus-visible, summary:focus-visible {
  outline: 2px solid var(--mark); outline-offset: 2px; }
table { border-collapse: collapse; min-width: 100%; font-size: .9rem; }
caption { text-align: left; color: var(--faint); padding: .2rem 0; }
th, td { text-align: left; padding: .25rem .6rem; border-bottom: 1px solid var(--line); vertical-align: top; }
td { min-width: 4rem; max-width: 34rem; overflow-wrap: break-word; } td.name { min-width: 14rem; overflow-wrap: anywhere; font-family: ui-monospace, monospace; font-size: .85rem; }
th { overflow-wrap: normal; }
th.number, .number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
th button { font: inherit; font-weight: 700; color: inherit; background: none; border: 0; padding: 0; cursor: pointer; text-align: inherit; }
th[aria-sort=ascending] button::after { content: " \2191"; } th[aria-sort=descending] button::after { content: " \2193"; }
label { display: block; margin: .4rem 0; }
input { font: inherit; padding: .2rem .4rem; width: min(24rem, 100%); color: inherit; background: var(--back);
  border: 1px solid var(--faint); border-radius: .3rem; }
.more { font: inherit; padding: .2rem .8rem; color: inherit; background: var(--panel); border: 1px solid var(--faint); border-radius: .3rem; cursor: pointer; }
summary { cursor: pointer; }
.names { list-style: none; padding: 0; } .names li { margin: .1rem 0; } .names .names, .names ul { padding-left: 1.5rem; }
.strip { display: flex; flex-wrap: wrap; gap: .5rem 1.2rem; }
.part { display: flex; flex-wrap: wrap; align-items: center; gap: .2rem .5rem; } .part-name { color: var(--faint); font-size: .85rem; }
.part ol { display: flex; flex-wrap: wrap; gap: 2px; margin: 0; padding: 0; list-style: none; }
.mark { font: 600 .8rem/1.5rem ui-monospace, monospace; text-align: center; min-width: 1.5rem; }
span.mark { display: inline-block; } .strip .mark { min-width: 2rem; line-height: 2rem; font-size: .9rem; }
.m0 { background: var(--m0); color: var(--t0); } .m1 { background: var(--m1); color: var(--t1); }
.m2 { background: var(--m2); color: var(--t1); } .m3 { background: var(--m3); color: var(--t1); }
.m4 { background: var(--m4); color: var(--t4); } .m5 { background: var(--m5); color: var(--t5); }
.alone { background: var(--alone); color: var(--talone); } .none { color: var(--faint); }
.legend { display: flex; flex-wrap: wrap; gap: .2rem 1.2rem; margin: .6rem 0; padding: 0; list-style: none; color: var(--faint); font-size: .85rem; }
.map { min-width: 0; border-collapse: separate; border-spacing: 2px; } .map th { border: 0; font-weight: 400; white-space: nowrap; padding: 0 .6rem 0 0; }
.map th.block { text-align: center; padding: 0; } .map td { border: 0; padding: 0 .3rem; min-width: 1.5rem; white-space: nowrap; }
.spoken { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
.strip, .wide, li.mark, td.mark { position: relative; }
figure { margin: .5rem 0; } figure.square { max-width: 24rem; } figcaption { color: var(--faint); font-size: .9rem; }
svg { display: block; width: 100%; height: auto; } .wide > svg { min-width: 40rem; max-width: 52rem; } td svg { width: auto; height: 2.2rem; }
svg text { fill: var(--faint); font-size: 12px; }
.key { display: inline-block; width: .8rem; height: .8rem; border-radius: 2px; margin: 0 .2rem 0 .6rem; }
.key.differs { background: var(--bad); } .key.equal { background: var(--good); } .key.floor { background: var(--faint); opacity: .5; }
.grid { stroke: var(--line); } .axis { stroke: var(--faint); } .stem { stroke: var(--bad); stroke-opacity: .35; }
.floor { fill: var(--faint); fill-opacity: .22; }
.differs { fill: var(--bad); } .equal { fill: var(--good); } .bar { fill: var(--mark); }
.u0 { fill: var(--u0); background: var(--u0); } .u1 { fill: var(--u1); background: var(--u1); }
.u2 { fill: var(--u2); background: var(--u2); } .u3 { fill: var(--u3); background: var(--u3); }
.u4 { fill: var(--u4); background: var(--u4); } .u5 { fill: var(--u5); background: var(--u5); }
.u6 { fill: var(--u6); background: var(--u6); }
footer { margin-top: 2rem; color: var(--faint); font-size: .85rem; }
@media (max-width: 40rem) { body { padding: .8rem; } h1 { font-size: 1.3rem; } td.name { min-width: 9rem; } }
@media print { html { font-size: 11px; } body { max-width: none; padding: 0; font-size: 1rem; color: #000; background: #fff; }
  label, nav, .more { display: none; } details::details-content { content-visibility: visible; display: block; }
  .wide { overflow: visible; } .wide > svg { min-width: 0; } td.name { min-width: 0; }
  .mark, .key, svg { print-color-adjust: exact; } h2, h3, caption { break-after: avoid; } tr, figure, article { break-inside: avoid; } }
)css";

// A long table keeps its rows beside the document and shows those that were asked for.
constexpr const char* kScript = R"js(
// Only what scrolls is a stop of the keyboard.
const scrollers = new ResizeObserver((entries) => {
  for (const { target } of entries) {
    if (target.scrollWidth > target.clientWidth) target.tabIndex = 0;
    else target.removeAttribute("tabindex");
  }
});
document.querySelectorAll(".wide").forEach((each) => scrollers.observe(each));
const page = 200;
for (const table of document.querySelectorAll("table.interactive")) {
  const body = table.tBodies[0];
  const rows = [...body.rows];
  let matching = rows, limit = page;
  const count = document.createElement("span");
  count.setAttribute("role", "status");
  const more = document.createElement("button");
  more.type = "button";
  more.className = "more";
  const show = () => {
    body.replaceChildren(...matching.slice(0, limit));
    const shown = Math.min(limit, matching.length);
    count.textContent = shown === rows.length ? "" : shown + " of " + rows.length + " rows shown";
    more.hidden = shown === matching.length;
    more.textContent = "Show " + Math.min(page, matching.length - shown) + " more rows";
  };
  more.addEventListener("click", () => { limit += page; show(); });
  const key = (row, column) => {
    const cell = row.cells[column];
    return cell.dataset.key === undefined ? cell.textContent : Number(cell.dataset.key);
  };
  const heads = [...table.querySelectorAll("thead th")];
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.textContent = head.textContent;
    button.type = "button";
    head.replaceChildren(button);
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      for (const other of heads) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const compare = ([a], [b]) => (typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b)));
      const keyed = rows.map((row) => [key(row, column), row]).sort(compare);
      if (down) keyed.reverse();
      const wanted = new Set(matching);
      rows.splice(0, rows.length, ...keyed.map(([, row]) => row));
      matching = rows.filter((row) => wanted.has(row));
      show();
    });
  });
  if (rows.length > 10) {
    const label = document.createElement("label");
    const input = document.createElement("input");
    input.type = "search";
    label.append("Show rows with ", input);
    table.parentElement.before(label, count);
    input.addEventListener("input", () => {
      const wanted = input.value.toLowerCase();
      matching = rows.filter((row) => row.textContent.toLowerCase().includes(wanted));
      limit = page;
      show();
    });
  }
  table.parentElement.after(more);
  show();
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
