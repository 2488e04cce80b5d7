// Takes Markdown text; gives React nodes, never HTML, with headings below the page's own.

import { Fragment, type JSX, type ReactNode } from "react";
import { Sideways } from "../layout/Sideways";
import { type Block, type Inline, parseMarkdown } from "./parse";

export function Markdown({ text, topLevel }: { text: string; topLevel: number }): ReactNode {
  // The text never changes in place, so a block's position is what identifies it.
  return parseMarkdown(text).map((block, place) => (
    <Fragment key={place.toString()}>{renderBlock(block, topLevel)}</Fragment>
  ));
}

function renderBlock(block: Block, topLevel: number): ReactNode {
  switch (block.kind) {
    case "heading": {
      const Heading = `h${Math.min(block.level + topLevel - 1, 6)}` as keyof JSX.IntrinsicElements;
      return <Heading>{renderInline(block.parts)}</Heading>;
    }
    case "paragraph":
      return <p>{renderInline(block.parts)}</p>;
    case "list": {
      const List = block.ordered ? "ol" : "ul";
      return (
        <List>
          {keyed(block.items, (item) => (
            <li>{renderInline(item)}</li>
          ))}
        </List>
      );
    }
    case "table":
      return <Table head={block.head} rows={block.rows} />;
    case "code":
      return <pre>{block.text}</pre>;
    case "rule":
      return <hr />;
  }
}

function Table({ head, rows }: { head: Inline[][]; rows: Inline[][][] }): ReactNode {
  // A head of empty cells stands for no head at all: then the first column names the rows.
  const isNamed = head.some((cell) => cell.length > 0);
  return (
    <Sideways label="Table">
      <table>
        {isNamed && (
          <thead>
            <tr>
              {keyed(head, (cell) => (
                <th scope="col">{renderInline(cell)}</th>
              ))}
            </tr>
          </thead>
        )}
        <tbody>
          {keyed(rows, ([name, ...cells]) => (
            <tr>
              <th scope="row">{renderInline(name ?? [])}</th>
              {keyed(cells, (cell) => (
                <td>{renderInline(cell)}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </Sideways>
  );
}

function renderInline(parts: Inline[]): ReactNode {
  return keyed(parts, (part) => {
    switch (part.kind) {
      case "text":
        return part.text;
      case "code":
        return <code>{part.text}</code>;
      case "strong":
        return <strong>{renderInline(part.parts)}</strong>;
      case "emphasis":
        return <em>{renderInline(part.parts)}</em>;
      case "link":
        return (
          <a href={part.href} rel="noreferrer">
            {renderInline(part.parts)}
          </a>
        );
    }
  });
}

function keyed<Part>(parts: readonly Part[], render: (part: Part) => ReactNode): ReactNode {
  return parts.map((part, place) => <Fragment key={place.toString()}>{render(part)}</Fragment>);
}
