// Takes Markdown text; gives a tree of the few forms that a model card has.
// Anything else, HTML above all, stays the text it is.

export type Inline =
  | { kind: "text"; text: string }
  | { kind: "code"; text: string }
  | { kind: "strong" | "emphasis"; parts: Inline[] }
  | { kind: "link"; href: string; parts: Inline[] };

export type Block =
  | { kind: "heading"; level: number; parts: Inline[] }
  | { kind: "paragraph"; parts: Inline[] }
  | { kind: "list"; ordered: boolean; items: Inline[][] }
  | { kind: "table"; head: Inline[][]; rows: Inline[][][] }
  | { kind: "code"; text: string }
  | { kind: "rule" };

const HEADING = /^(#{1,6})\s+(.*?)\s*#*$/;
const FENCE = /^(`{3,}|~{3,})/;
const RULE = /^(?:-{3,}|\*{3,}|_{3,})$/;
const BULLET = /^\s*[-*+]\s+(.*)$/;
const NUMBERED = /^\s*\d+[.)]\s+(.*)$/;
const ROW = /^\|.*\|$/;
const ROW_RULE = /^\|(?:\s*:?-+:?\s*\|)+$/;

export function parseMarkdown(text: string): Block[] {
  const lines = text.replaceAll("\r\n", "\n").split("\n");
  const blocks: Block[] = [];
  let place = 0;
  while (place < lines.length) {
    const line = (lines[place] ?? "").trim();
    const fence = FENCE.exec(line)?.[1];
    const heading = HEADING.exec(line);
    if (line === "") {
      place += 1;
    } else if (fence !== undefined) {
      const end = lines.findIndex((other, at) => at > place && other.trim() === fence);
      const last = end === -1 ? lines.length : end;
      blocks.push({ kind: "code", text: lines.slice(place + 1, last).join("\n") });
      place = last + 1;
    } else if (heading) {
      const [, marks = "", title = ""] = heading;
      blocks.push({ kind: "heading", level: marks.length, parts: parseInline(title) });
      place += 1;
    } else if (RULE.test(line)) {
      blocks.push({ kind: "rule" });
      place += 1;
    } else if (ROW.test(line) && ROW_RULE.test((lines[place + 1] ?? "").trim())) {
      const end = endOfRun(lines, place, (other) => ROW.test(other.trim()));
      blocks.push({
        kind: "table",
        head: cells(line),
        rows: lines.slice(place + 2, end).map((row) => cells(row.trim())),
      });
      place = end;
    } else if (BULLET.test(line) || NUMBERED.test(line)) {
      const form = BULLET.test(line) ? BULLET : NUMBERED;
      const end = endOfRun(lines, place, (other) => form.test(other) || /^\s+\S/.test(other));
      blocks.push({
        kind: "list",
        ordered: form === NUMBERED,
        items: listItems(lines.slice(place, end), form).map(parseInline),
      });
      place = end;
    } else {
      const end = Math.max(endOfRun(lines, place, isProse), place + 1);
      const prose = lines.slice(place, end).map((other) => other.trim());
      blocks.push({ kind: "paragraph", parts: parseInline(prose.join(" ")) });
      place = end;
    }
  }
  return blocks;
}

function isProse(line: string): boolean {
  const text = line.trim();
  return (
    text !== "" && ![HEADING, FENCE, RULE, BULLET, NUMBERED, ROW].some((form) => form.test(text))
  );
}

function endOfRun(lines: string[], start: number, belongs: (line: string) => boolean): number {
  const end = lines.findIndex((line, at) => at >= start && !belongs(line));
  return end === -1 ? lines.length : end;
}

/** Lines of a list as items; an indented line goes on with the item before it. */
function listItems(lines: string[], form: RegExp): string[] {
  const items: string[] = [];
  for (const line of lines) {
    const item = form.exec(line)?.[1];
    if (item !== undefined) items.push(item);
    else items.push(`${items.pop() ?? ""} ${line.trim()}`);
  }
  return items;
}

function cells(row: string): Inline[][] {
  return row
    .slice(1, -1)
    .split(/(?<!\\)\|/)
    .map((cell) => parseInline(cell.trim().replaceAll("\\|", "|")));
}

// One alternative for each form; what stands between two matches is text.
const INLINE =
  /`([^`]+)`|\*\*([^*]+)\*\*|(?<![\w*])\*([^*\s](?:[^*]*[^*\s])?)\*(?![\w*])|\[([^\][]+)\]\(([^()\s]+)\)/g;

export function parseInline(text: string): Inline[] {
  const parts: Inline[] = [];
  let end = 0;
  for (const match of text.matchAll(INLINE)) {
    if (match.index > end) parts.push({ kind: "text", text: text.slice(end, match.index) });
    parts.push(inlineOf(match));
    end = match.index + match[0].length;
  }
  if (end < text.length) parts.push({ kind: "text", text: text.slice(end) });
  return parts;
}

function inlineOf([whole, code, strong, emphasis, label, href]: RegExpExecArray): Inline {
  if (code !== undefined) return { kind: "code", text: code };
  if (strong !== undefined) return { kind: "strong", parts: parseInline(strong) };
  if (emphasis !== undefined) return { kind: "emphasis", parts: parseInline(emphasis) };
  if (label !== undefined && href !== undefined && /^https?:\/\//i.test(href)) {
    return { kind: "link", href, parts: [{ kind: "text", text: label }] };
  }
  // A link to anywhere else, script addresses among them, stays text.
  return { kind: "text", text: whole };
}
