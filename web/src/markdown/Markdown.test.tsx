import { render, screen } from "@testing-library/react";
import { expect, it } from "vitest";
import { Markdown } from "./Markdown";

it("puts headings below the page's own", () => {
  render(<Markdown text={"# Card\n\n## Limits"} topLevel={3} />);
  expect(screen.getByRole("heading", { level: 3 }).textContent).toBe("Card");
  expect(screen.getByRole("heading", { level: 4 }).textContent).toBe("Limits");
});

it("shows HTML as text", () => {
  const html = '<img src="x" onerror="alert(1)"> <b>bold</b>';
  const { container } = render(<Markdown text={html} topLevel={3} />);
  expect(container.querySelector("img, b")).toBeNull();
  expect(container.textContent).toBe(html);
});

it("names the rows of a table by their first cell", () => {
  render(<Markdown text={"|  |  |\n| --- | --- |\n| Items | 1,545 |"} topLevel={3} />);
  expect(screen.getByRole("rowheader").textContent).toBe("Items");
  expect(screen.queryByRole("columnheader")).toBeNull();
});
