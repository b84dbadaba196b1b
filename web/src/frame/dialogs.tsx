/** The help with all keys, and the question for a token. */

import { useEffect, useRef } from "preact/hooks";
import { giveToken, tokenWanted } from "../api/token";
import { boundKeys } from "../state/keys";

const KEY_SIGNS: Record<string, string> = {
  ArrowLeft: "←",
  ArrowRight: "→",
  "Shift+ArrowLeft": "⇧ ←",
  "Shift+ArrowRight": "⇧ →",
  PageDown: "PgDn",
  PageUp: "PgUp",
};

function useModal(open: boolean) {
  const ref = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    if (open && !ref.current?.open) ref.current?.showModal();
    if (!open) ref.current?.close();
  }, [open]);
  return ref;
}

export function Help({ open, onClose }: { open: boolean; onClose: () => void }) {
  const ref = useModal(open);
  return (
    <dialog ref={ref} class="help" aria-labelledby="help-title" onClose={onClose}>
      <header class="panel-head">
        <h2 id="help-title">Keys</h2>
        <span class="grow" />
        <button type="button" onClick={onClose}>
          Close
        </button>
      </header>
      {open && (
        <div class="help-groups">
          {boundKeys()
            .filter((group) => group.bindings.length > 0)
            .map((group) => (
              <section key={group.title}>
                <h3>{group.title}</h3>
                <dl>
                  {group.bindings.map((binding) => (
                    <div key={binding.what}>
                      <dt>
                        {binding.keys.map((key) => (
                          <kbd key={key}>{KEY_SIGNS[key] ?? key}</kbd>
                        ))}
                      </dt>
                      <dd>{binding.what}</dd>
                    </div>
                  ))}
                </dl>
              </section>
            ))}
          <p class="muted">
            Every view has an address: copy it from the browser and send it. In the trends, drag to come
            nearer and double-click to go back.
          </p>
        </div>
      )}
    </dialog>
  );
}

export function TokenDialog() {
  const problem = tokenWanted.value;
  const ref = useModal(problem !== null);
  return (
    <dialog ref={ref} class="token" aria-labelledby="token-title" onCancel={(event) => event.preventDefault()}>
      <form
        method="dialog"
        onSubmit={(event) => {
          event.preventDefault();
          const text = new FormData(event.currentTarget).get("token")?.toString() ?? "";
          event.currentTarget.reset();
          if (text.trim()) giveToken(text);
        }}
      >
        <header class="panel-head">
          <h2 id="token-title">Token</h2>
        </header>
        <div class="pad">
          <p>{problem?.detail || "This server wants to know who asks."}</p>
          <label class="field">
            <span>Token</span>
            <input name="token" type="password" required autocomplete="off" />
          </label>
          <p class="muted">
            Whoever runs the server makes one: <code>pbf-ray serve token add NAME --scope read</code>. It is
            kept until this tab is closed.
          </p>
          <button type="submit" class="main">
            Go on
          </button>
        </div>
      </form>
    </dialog>
  );
}
