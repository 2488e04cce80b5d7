// Takes content that may be wider than the page; gives it room to scroll on its own.

import type { ReactNode } from "react";

export function Sideways({ label, children }: { label: string; children: ReactNode }): ReactNode {
  return (
    <section className="sideways" tabIndex={0} aria-label={label}>
      {children}
    </section>
  );
}
