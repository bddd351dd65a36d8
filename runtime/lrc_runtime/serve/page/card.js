// Shows the Markdown that model cards are written in: headings, paragraphs, lists and tables.

function element(name, text) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  return made;
}

function cells(line) {
  return line.trim().replace(/^\||\|$/g, "").split("|").map((cell) => cell.trim());
}

function table(lines) {
  const made = element("table");
  const rows = lines.filter((line) => !/^[\s|:-]+$/.test(line)).map(cells);
  rows.forEach((row, index) => {
    const line = made.insertRow();
    for (const text of row) {
      const cell = element(index ? "td" : "th", text);
      if (!index) cell.scope = "col";
      line.append(cell);
    }
  });
  return made;
}

// Fills an element with a card; its text is never taken for HTML.
export function showCard(into, markdown) {
  into.replaceChildren();
  for (const block of markdown.split(/\n\s*\n/)) {
    const lines = block.split("\n").filter((line) => line.trim());
    if (!lines.length) continue;
    const heading = /^(#+)\s+(.*)/.exec(lines[0]);
    if (heading) {
      into.append(element(heading[1].length > 1 ? "h3" : "h2", heading[2]));
      lines.shift();
    }
    if (!lines.length) continue;
    if (lines[0].startsWith("|")) {
      into.append(table(lines));
    } else if (/^[-*] /.test(lines[0])) {
      const list = element("ul");
      for (const line of lines) list.append(element("li", line.replace(/^[-*] /, "")));
      into.append(list);
    } else {
      into.append(element("p", lines.join(" ").replaceAll("`", "")));
    }
  }
}
