// Takes the system's theme and the person's choice; gives the theme that holds.

import { useEffect, useState } from "react";

type Theme = "light" | "dark";

const DARK = "(prefers-color-scheme: dark)";

export function useTheme(): { theme: Theme; toggleTheme: () => void } {
  const [system, setSystem] = useState<Theme>(matchMedia(DARK).matches ? "dark" : "light");
  const [chosen, setChosen] = useState(document.documentElement.dataset.theme);

  useEffect(() => {
    const query = matchMedia(DARK);
    const onChange = () => setSystem(query.matches ? "dark" : "light");
    query.addEventListener("change", onChange);
    return () => query.removeEventListener("change", onChange);
  }, []);

  const theme = chosen === "light" || chosen === "dark" ? chosen : system;

  function toggleTheme(): void {
    const next = theme === "dark" ? "light" : "dark";
    document.documentElement.dataset.theme = next;
    setChosen(next);
    try {
      // Read again by public/theme.js, before the next first paint.
      localStorage.setItem("crossrec.theme", next);
    } catch {
      // Storage may be forbidden; the choice then lives as long as the page.
    }
  }

  return { theme, toggleTheme };
}
