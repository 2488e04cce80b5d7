// Puts the page into the document.

import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./app/App";
import "./styles/theme.css";
import "./styles/base.css";
import "./styles/next.css";
import "./styles/figures.css";

const root = document.getElementById("root");
if (root === null) throw new Error("The document has no element #root.");
createRoot(root).render(
  <StrictMode>
    <App />
  </StrictMode>,
);
