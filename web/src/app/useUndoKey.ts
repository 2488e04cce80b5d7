// Takes what undo does; does it on Ctrl+Z or ⌘Z, unless a field undoes its own typing.

import { useEffect, useRef } from "react";

export function useUndoKey(undo: () => void): void {
  const latest = useRef(undo);
  useEffect(() => {
    latest.current = undo;
  }, [undo]);
  useEffect(() => {
    function onKey(event: KeyboardEvent): void {
      const isUndo = event.key.toLowerCase() === "z" && (event.ctrlKey || event.metaKey);
      const isTyping = event.target instanceof HTMLInputElement && event.target.value !== "";
      if (!isUndo || event.shiftKey || event.altKey || isTyping) return;
      event.preventDefault();
      latest.current();
    }
    document.addEventListener("keydown", onKey);
    return () => document.removeEventListener("keydown", onKey);
  }, []);
}
