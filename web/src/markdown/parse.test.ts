import { describe, expect, it } from "vitest";
import { parseInline, parseMarkdown } from "./parse";

function text(of: string) {
  return { kind: "text", text: of };
}

describe("blocks", () => {
  it("are headings with their level", () => {
    expect(parseMarkdown("# One\n\n### Three ###")).toEqual([
      { kind: "heading", level: 1, parts: [text("One")] },
      { kind: "heading", level: 3, parts: [text("Three")] },
    ]);
  });

  it("join the lines of a paragraph and part at an empty line", () => {
    expect(parseMarkdown("one\ntwo\n\nthree")).toEqual([
      { kind: "paragraph", parts: [text("one two")] },
      { kind: "paragraph", parts: [text("three")] },
    ]);
  });

  it("are lists whose indented lines go on with the item", () => {
    expect(parseMarkdown("- one\n  more\n- two\n\n1. first\n2. second")).toEqual([
      { kind: "list", ordered: false, items: [[text("one more")], [text("two")]] },
      { kind: "list", ordered: true, items: [[text("first")], [text("second")]] },
    ]);
  });

  it("are tables, also with an empty head", () => {
    expect(parseMarkdown("|  |  |\n| --- | ---: |\n| Items | 1,545 |\n\nafter")).toEqual([
      { kind: "table", head: [[], []], rows: [[[text("Items")], [text("1,545")]]] },
      { kind: "paragraph", parts: [text("after")] },
    ]);
  });

  it("keep an escaped bar within its cell", () => {
    expect(parseMarkdown("| a |\n| --- |\n| x \\| y |")).toEqual([
      { kind: "table", head: [[text("a")]], rows: [[[text("x | y")]]] },
    ]);
  });

  it("are code as it stands, to the end where no fence closes it", () => {
    expect(parseMarkdown("```py\n# no heading\n```")).toEqual([
      { kind: "code", text: "# no heading" },
    ]);
    expect(parseMarkdown("```\nopen")).toEqual([{ kind: "code", text: "open" }]);
  });

  it("are rules", () => expect(parseMarkdown("---")).toEqual([{ kind: "rule" }]));

  it("are none in empty text", () => expect(parseMarkdown("\n \n")).toEqual([]));

  it("leave a row without a table as text", () => {
    expect(parseMarkdown("| alone |")).toEqual([{ kind: "paragraph", parts: [text("| alone |")] }]);
  });

  it.each(["|", "#", "- ", "```", "|a|\n|-", "1.", "\\", "[", "**"])("end on %j", (odd) => {
    expect(() => parseMarkdown(`${odd}\n${odd}`)).not.toThrow();
  });
});

describe("inline forms", () => {
  it("are code, strong, emphasis and links", () => {
    expect(parseInline("a `b` **c** *d* [e](https://f.example/g)")).toEqual([
      text("a "),
      { kind: "code", text: "b" },
      text(" "),
      { kind: "strong", parts: [text("c")] },
      text(" "),
      { kind: "emphasis", parts: [text("d")] },
      text(" "),
      { kind: "link", href: "https://f.example/g", parts: [text("e")] },
    ]);
  });

  it.each(["<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "&lt;b&gt;"])(
    "leave %s the text it is",
    (html) => expect(parseInline(html)).toEqual([text(html)]),
  );

  it.each(["javascript:alert", "data:text/html,x", "//evil.example", "JAVASCRIPT:x"])(
    "make no link to %s",
    (href) => expect(parseInline(`[go](${href})`)).toEqual([text(`[go](${href})`)]),
  );

  it("leave stars between words alone", () => {
    expect(parseInline("2*3*4 and 5 * 6")).toEqual([text("2*3*4 and 5 * 6")]);
  });

  it("do not look into code", () => {
    expect(parseInline("`**a**`")).toEqual([{ kind: "code", text: "**a**" }]);
  });
});
