// Takes what is known under a name; gives a line of a list of facts, or nothing where it is not known.

import type { ReactNode } from "react";

export function Fact({ name, children }: { name: string; children: ReactNode }): ReactNode {
  if (!children) return null;
  return (
    <div className="fact">
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}
