// Takes the service's word that it wants a key; gives the key that a person types.

import { type ReactNode, useEffect, useRef } from "react";

interface Props {
  message: string;
  onKey: (key: string) => void;
}

export function KeyDialog({ message, onKey }: Props): ReactNode {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => dialog.current?.showModal(), []);
  return (
    <dialog
      ref={dialog}
      className="dialog dialog-small"
      aria-labelledby="key-title"
      // Without a key the page has nothing to show, so there is nothing to go back to.
      onCancel={(event) => event.preventDefault()}
    >
      <form
        className="dialog-body"
        onSubmit={(event) => {
          event.preventDefault();
          const key = new FormData(event.currentTarget).get("key");
          if (typeof key === "string" && key.trim() !== "") onKey(key.trim());
        }}
      >
        <h2 id="key-title">This service asks for a key</h2>
        <p role="alert">{message}</p>
        <label className="field">
          Key
          <input name="key" type="password" autoComplete="current-password" required />
        </label>
        <p className="muted">It is kept until you close this tab.</p>
        <button type="submit" className="button button-main">
          Use this key
        </button>
      </form>
    </dialog>
  );
}
