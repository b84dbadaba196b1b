/** The inbox: one alert for each build, layer and type, until somebody has seen it. */

import { useState } from "preact/hooks";
import type { Alert, AlertPage } from "../api/types";
import { asProblem, postJson, withQuery } from "../api/client";
import type { Problem } from "../api/problem";
import { age, clock, count, instant, words } from "../format";
import { FilterChoice, FilterField, Filters } from "../parts/filters";
import { Pager } from "../parts/pager";
import { Severity, SeverityCounts } from "../parts/severity";
import { Empty, Loading, Trouble } from "../parts/states";
import { useSelection } from "../parts/useselection";
import { mayDecide } from "../state/about";
import { useKeys } from "../state/keys";
import { ledgerRevision, resultsRevision } from "../state/live";
import { nowS } from "../state/now";
import { useResource } from "../state/resource";
import { go, href, type Params, setParams } from "../state/router";

const STATES = ["open", "acknowledged", "all"] as const;

export function AlertsScreen({ params }: { params: Params }) {
  const state = STATES.find((one) => one === params["state"]) ?? "open";
  const { data, problem, reload } = useResource<AlertPage>(
    withQuery("/alerts", {
      state,
      build: params["build"],
      machine: params["machine"],
      severity: params["severity"],
      cursor: params["cursor"],
      limit: 50,
    }),
    [resultsRevision, ledgerRevision],
    true,
  );
  const items = data?.items ?? [];
  const { selected, select, move } = useSelection(items.length);
  const [asking, setAsking] = useState<string | null>(null);
  const chosen = items[selected];
  useKeys("Alerts", [
    { keys: ["j"], what: "next alert", act: () => move(1) },
    { keys: ["k"], what: "alert before", act: () => move(-1) },
    {
      keys: ["Enter"],
      what: "open the layer of the alert",
      act: () => {
        if (chosen) go(href("build", { build: chosen.build_id, layer: chosen.layer }));
      },
    },
    {
      keys: ["a"],
      what: "acknowledge the alert",
      act: () => {
        if (chosen && !chosen.acknowledged) setAsking(chosen.alert_id);
      },
    },
  ]);
  return (
    <section class="panel" aria-label="Alerts">
      <header class="panel-head">
        <h2 class="title">Alerts</h2>
        <div class="segments" role="group" aria-label="State">
          {STATES.map((one) => (
            <button
              key={one}
              type="button"
              aria-pressed={one === state}
              onClick={() => setParams({ state: one === "open" ? null : one, cursor: null }, "push")}
            >
              {one}
            </button>
          ))}
        </div>
        <span class="grow" />
        {data && (
          <span>
            open: <SeverityCounts counts={data.open} none="none" />
          </span>
        )}
      </header>
      <Filters names={["build", "machine", "severity"]}>
        <FilterField name="build" title="Build" width="9rem" />
        <FilterField name="machine" title="Machine" width="7rem" />
        <FilterChoice name="severity" title="Severity" choices={["critical", "warning", "info"]} />
      </Filters>
      {problem && <Trouble problem={problem} onRetry={reload} />}
      {!data && !problem && <Loading what="alerts" />}
      {data && items.length === 0 && !problem && (
        <Empty
          title={state === "open" ? "No open alerts" : "No alerts here"}
          advice={
            state === "open"
              ? "Alerts appear by themselves as anomalies are stored. Seen ones: acknowledged, above."
              : "Take a filter away, or choose another state."
          }
        />
      )}
      {mayDecide.value || items.length === 0 || (
        <p class="muted pad">To acknowledge alerts needs a token with the scope decide.</p>
      )}
      <ul class="alerts" aria-label="Alerts">
        {items.map((alert, index) => (
          <AlertRow
            key={alert.alert_id}
            alert={alert}
            selected={index === selected}
            asking={asking === alert.alert_id}
            onSelect={() => select(index)}
            onAsk={(ask) => setAsking(ask ? alert.alert_id : null)}
            onDone={reload}
          />
        ))}
      </ul>
      {items.length > 0 && (
        <Pager total={data?.total} what="alert" shown={items.length} next={data?.next_cursor ?? null} />
      )}
    </section>
  );
}

interface RowProps {
  alert: Alert;
  selected: boolean;
  asking: boolean;
  onSelect: () => void;
  onAsk: (ask: boolean) => void;
  onDone: () => void;
}

function AlertRow({ alert, selected, asking, onSelect, onAsk, onDone }: RowProps) {
  const [problem, setProblem] = useState<Problem | null>(null);
  const [busy, setBusy] = useState(false);
  const seen = alert.acknowledged;
  const more = seen ? alert.count - seen.count : 0;
  const send = async (comment: string): Promise<void> => {
    setBusy(true);
    try {
      const path = `/alerts/${encodeURIComponent(alert.alert_id)}/acknowledge`;
      await postJson<Alert>(path, comment ? { comment } : {});
      setProblem(null);
      onAsk(false);
      onDone();
    } catch (error) {
      setProblem(asProblem(error));
    } finally {
      setBusy(false);
    }
  };
  return (
    <li class={`alert ${alert.severity} ${selected ? "selected" : ""}`} onClick={onSelect}>
      <Severity of={alert.severity} />
      <div class="alert-what">
        <strong>{words(alert.anomaly_type)}</strong>
        <span>{alert.text}</span>
        <span class="muted num">
          {alert.sensors.join(", ")} · since {clock(alert.first_timestamp, nowS.peek())} · last{" "}
          {age(alert.last_timestamp, nowS.value)}
        </span>
        {seen && (
          <span class="muted">
            seen by {seen.by}, {age(instant(seen.at), nowS.value)}
            {seen.comment ? `: “${seen.comment}”` : ""}
            {more > 0 && <b class="num"> · {count(more, "record")} since</b>}
          </span>
        )}
        {problem && <Trouble problem={problem} />}
        {asking && (
          <form
            class="ask"
            onSubmit={(event) => {
              event.preventDefault();
              void send(new FormData(event.currentTarget).get("comment")?.toString().trim() ?? "");
            }}
            onKeyDown={(event) => {
              if (event.key === "Escape") onAsk(false);
            }}
          >
            <label class="field grow">
              <span>Comment (may be empty)</span>
              <input name="comment" maxLength={2000} ref={(input) => input?.focus()} autocomplete="off" />
            </label>
            <button type="submit" class="main" disabled={busy}>
              Acknowledge
            </button>
            <button type="button" onClick={() => onAsk(false)}>
              Cancel
            </button>
          </form>
        )}
      </div>
      <a class="alert-where num" href={href("build", { build: alert.build_id, layer: alert.layer })}>
        {alert.build_id} · layer {alert.layer}
      </a>
      {!seen && !asking && (
        <button type="button" disabled={!mayDecide.value} onClick={() => onAsk(true)}>
          Acknowledge
        </button>
      )}
    </li>
  );
}
