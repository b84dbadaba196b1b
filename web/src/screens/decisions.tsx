/** What was decided about a build and its parts, why and by whom; nothing is ever changed. */

import { useState } from "preact/hooks";
import type { Decision, Decisions, Disposition } from "../api/types";
import { asProblem, postJson } from "../api/client";
import type { Problem } from "../api/problem";
import { BuildHead } from "../build/head";
import { buildPath, useBuild } from "../build/usebuild";
import { clock, instant } from "../format";
import { Empty, Loading, Trouble } from "../parts/states";
import { mayDecide } from "../state/about";
import { ledgerRevision } from "../state/live";
import { nowS } from "../state/now";
import { useResource } from "../state/resource";
import type { Params } from "../state/router";

const DISPOSITIONS: { value: Disposition; what: string }[] = [
  { value: "accept", what: "fit for use as built" },
  { value: "hold", what: "no further step before a review" },
  { value: "rework", what: "repair, then judge again" },
  { value: "scrap", what: "not to be used" },
];

export function DecisionsScreen({ params }: { params: Params }) {
  const id = params["build"] ?? null;
  const build = useBuild(id);
  const decisions = useResource<Decisions>(id === null ? null : buildPath(id, "/decisions"), [
    ledgerRevision,
  ]);
  if (id === null) {
    return <Empty title="No build is chosen" advice="Choose one on the fleet screen (keys g f), or give ?build=ID." />;
  }
  if (build.problem && !build.data) return <Trouble problem={build.problem} />;
  if (!build.data) return <Loading what={`build ${id}`} />;
  const items = decisions.data?.items ?? [];
  const current = decisions.data?.current ?? [];
  return (
    <>
      <BuildHead build={build.data} current="decisions" />
      <div class="decision-columns">
        <section class="panel" aria-label="Decide">
          <header class="panel-head">
            <h2>Decide</h2>
          </header>
          <DecisionForm build={id} onDone={decisions.reload} />
        </section>
        <section class="panel" aria-label="Decisions">
          <header class="panel-head">
            <h2>In force</h2>
          </header>
          {decisions.problem && <Trouble problem={decisions.problem} onRetry={decisions.reload} />}
          {decisions.data && current.length === 0 && (
            <Empty title="Nothing is decided yet" advice="A decision says what becomes of the build, and why." />
          )}
          {current.length > 0 && (
            <ul class="in-force">
              {current.map((one) => (
                <li key={one.decision_id}>
                  <span class={`tag disposition ${one.disposition}`}>{one.disposition}</span>
                  <strong>{one.part ?? "whole build"}</strong>
                  <span>{one.reason}</span>
                </li>
              ))}
            </ul>
          )}
          {items.length > 0 && <History items={items} />}
        </section>
      </div>
    </>
  );
}

function History({ items }: { items: Decision[] }) {
  return (
    <>
      <h3 class="pad">All, newest first</h3>
      <div class="scroll-x">
        <table class="rows">
          <thead>
            <tr>
              <th scope="col">When</th>
              <th scope="col">Of</th>
              <th scope="col">Decision</th>
              <th scope="col">Why</th>
              <th scope="col">By</th>
            </tr>
          </thead>
          <tbody>
            {items.toReversed().map((one) => (
              <tr key={one.decision_id}>
                <td class="time" title={one.at}>
                  {clock(instant(one.at), nowS.peek())}
                </td>
                <td>{one.part ?? "whole build"}</td>
                <td>
                  <span class={`tag disposition ${one.disposition}`}>{one.disposition}</span>
                </td>
                <td class="wrap">{one.reason}</td>
                <td>{one.by}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </>
  );
}

function DecisionForm({ build, onDone }: { build: string; onDone: () => void }) {
  const [problem, setProblem] = useState<Problem | null>(null);
  const [said, setSaid] = useState("");
  const [busy, setBusy] = useState(false);
  const submit = async (form: HTMLFormElement): Promise<void> => {
    const given = new FormData(form);
    const text = (name: string): string => given.get(name)?.toString().trim() ?? "";
    setBusy(true);
    setSaid("");
    try {
      const made = await postJson<Decision>(buildPath(build, "/decisions"), {
        disposition: text("disposition"),
        reason: text("reason"),
        part: text("part") || null,
      });
      setProblem(null);
      setSaid(`Recorded as ${made.by}: ${made.disposition}.`);
      form.reset();
      onDone();
    } catch (error) {
      setProblem(asProblem(error));
    } finally {
      setBusy(false);
    }
  };
  return (
    <form
      class="decide"
      onSubmit={(event) => {
        event.preventDefault();
        void submit(event.currentTarget);
      }}
    >
      <fieldset disabled={!mayDecide.value || busy}>
        <legend class="unseen">Decision</legend>
        <div class="dispositions">
          {DISPOSITIONS.map(({ value, what }) => (
            <label key={value} class="choice">
              <input type="radio" name="disposition" value={value} required />
              <span>
                <b>{value}</b>
                <span class="muted">{what}</span>
              </span>
            </label>
          ))}
        </div>
        <label class="field">
          <span>Part (empty: the whole build)</span>
          <input name="part" maxLength={200} autocomplete="off" />
        </label>
        <label class="field">
          <span>Reason</span>
          <textarea name="reason" required minLength={1} maxLength={2000} rows={4} />
        </label>
        <div class="form-end">
          <button type="submit" class="main">
            Record the decision
          </button>
          <span role="status">{said}</span>
        </div>
      </fieldset>
      {!mayDecide.value && <p class="muted">To decide needs a token with the scope decide.</p>}
      <p class="muted">Decisions are kept for good, with your name and the time. A later one replaces, and never erases.</p>
      {problem && <Trouble problem={problem} />}
    </form>
  );
}
