// Takes presses on the handles of a list's items; gives where the dragged one would go.

import { type PointerEvent as ReactPointerEvent, useRef, useState } from "react";

export interface Drag {
  readonly from: number;
  /** Place among the items after the drop. */
  readonly to: number;
}

const EDGE_PX = 32;
const SCROLL_PX = 12;

/**
 * Items must be the children of the list, in order; nothing moves until the drop, so that the
 * pressed element stays in the document and keeps receiving the pointer.
 */
export function useDrag(onDrop: (drag: Drag) => void): {
  drag: Drag | null;
  list: React.RefObject<HTMLOListElement | null>;
  startDrag: (event: ReactPointerEvent<HTMLElement>, from: number) => void;
} {
  const [drag, setDrag] = useState<Drag | null>(null);
  const list = useRef<HTMLOListElement>(null);

  function startDrag(event: ReactPointerEvent<HTMLElement>, from: number): void {
    if (event.button !== 0 || list.current === null) return;
    event.preventDefault();
    const handle = event.currentTarget;
    const { pointerId } = event;
    const items = [...list.current.children] as HTMLElement[];
    const dragged = items[from];
    const start = { x: event.clientX, y: event.clientY };
    let to = from;
    handle.setPointerCapture(pointerId);
    setDrag({ from, to });

    function onMove(move: PointerEvent): void {
      dragged?.style.setProperty(
        "translate",
        `${move.clientX - start.x}px ${move.clientY - start.y}px`,
      );
      if (list.current) scrollAtEdge(list.current, move);
      to = placeAt(items, from, move.clientX, move.clientY);
      setDrag({ from, to });
    }
    function stop(): void {
      handle.removeEventListener("pointermove", onMove);
      handle.removeEventListener("pointerup", onUp);
      handle.removeEventListener("pointercancel", stop);
      document.removeEventListener("keydown", onKey);
      dragged?.style.removeProperty("translate");
      setDrag(null);
    }
    function onUp(): void {
      stop();
      if (to !== from) onDrop({ from, to });
    }
    function onKey(key: KeyboardEvent): void {
      if (key.key === "Escape") stop();
    }
    handle.addEventListener("pointermove", onMove);
    handle.addEventListener("pointerup", onUp);
    handle.addEventListener("pointercancel", stop);
    document.addEventListener("keydown", onKey);
  }

  return { drag, list, startDrag };
}

/** Place of the item nearest to the pointer, the dragged one's own if that is it. */
function placeAt(items: HTMLElement[], from: number, x: number, y: number): number {
  const distances = items.map((item, place) => {
    if (place === from) return Number.POSITIVE_INFINITY;
    const box = item.getBoundingClientRect();
    const dx = Math.max(box.left - x, 0, x - box.right);
    const dy = Math.max(box.top - y, 0, y - box.bottom);
    return Math.hypot(dx, dy);
  });
  const nearest = distances.indexOf(Math.min(...distances));
  // Between two items the pointer is over the gap the dragged one left, or beside the list.
  return distances[nearest] === 0 ? nearest : from;
}

function scrollAtEdge(list: HTMLElement, { clientX, clientY }: PointerEvent): void {
  const box = list.getBoundingClientRect();
  if (clientX < box.left + EDGE_PX) list.scrollLeft -= SCROLL_PX;
  if (clientX > box.right - EDGE_PX) list.scrollLeft += SCROLL_PX;
  if (clientY < box.top + EDGE_PX) list.scrollTop -= SCROLL_PX;
  if (clientY > box.bottom - EDGE_PX) list.scrollTop += SCROLL_PX;
}
