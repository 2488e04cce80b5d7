// Takes the address' fragment; gives which of the two views is shown.

import { useEffect, useState } from "react";

export type View = "next" | "figures";

export const FRAGMENTS: Record<View, string> = { next: "#next", figures: "#how-good" };
const TITLES: Record<View, string> = { next: "What’s next?", figures: "How good is it?" };

export function useView(): View {
  const [view, setView] = useState(viewOf(location.hash));
  useEffect(() => {
    const onChange = () => setView(viewOf(location.hash));
    window.addEventListener("hashchange", onChange);
    return () => window.removeEventListener("hashchange", onChange);
  }, []);
  useEffect(() => {
    document.title = `${TITLES[view]} · crossrec`;
  }, [view]);
  return view;
}

function viewOf(fragment: string): View {
  return fragment === FRAGMENTS.figures ? "figures" : "next";
}
