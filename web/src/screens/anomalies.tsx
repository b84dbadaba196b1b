/** Records that a rule names, newest first, by filters that stand in the address. */

import type { Anomaly, Machine, Page } from "../api/types";
import { withQuery } from "../api/client";
import { CHANNELS } from "../channels";
import { channelDigits, channelName, clock, fixed, unitSign, words } from "../format";
import { FilterChoice, FilterField, Filters } from "../parts/filters";
import { Pager } from "../parts/pager";
import { Severity } from "../parts/severity";
import { Empty, Loading, Trouble } from "../parts/states";
import { useSelection } from "../parts/useselection";
import { about, ruleOfType } from "../state/about";
import { useKeys } from "../state/keys";
import { resultsRevision } from "../state/live";
import { nowS } from "../state/now";
import { useResource } from "../state/resource";
import { go, href, type Params, setParams } from "../state/router";

const FILTERS = ["build", "first", "last", "type", "severity", "machine", "sensor", "since", "until"];
const PAGE = 50;

export function AnomaliesScreen({ params }: { params: Params }) {
  const { data, problem, loading, reload } = useResource<Page<Anomaly>>(
    withQuery("/anomalies", {
      build: params["build"],
      first_layer: params["first"],
      last_layer: params["last"],
      type: params["type"],
      severity: params["severity"],
      machine: params["machine"],
      sensor: params["sensor"],
      since: params["since"],
      until: params["until"],
      cursor: params["cursor"],
      limit: PAGE,
    }),
    // Older pages stay as they are.
    params["cursor"] ? [] : [resultsRevision],
    true,
  );
  const machines = useResource<{ machines: Machine[] }>("/machines");
  const items = data?.items ?? [];
  const { selected, select, move } = useSelection(items.length);
  const open = (one: Anomaly | undefined): void => {
    if (one?.build_id) go(href("build", { build: one.build_id, layer: one.layer }));
  };
  useKeys("Anomalies", [
    { keys: ["j"], what: "next row", act: () => move(1) },
    { keys: ["k"], what: "row before", act: () => move(-1) },
    { keys: ["Enter"], what: "open the layer of the row", act: () => open(items[selected]) },
    {
      keys: ["n"],
      what: "older page",
      act: () => {
        if (data?.next_cursor) setParams({ cursor: data.next_cursor }, "push");
      },
    },
  ]);
  const filtered = FILTERS.some((name) => params[name]);
  const unitOf = (name: string): string =>
    unitSign(about.value?.fields.find((field) => field.name === name)?.unit ?? "");
  return (
    <section class="panel" aria-label="Anomalies">
      <header class="panel-head">
        <h2 class="title">Anomalies</h2>
        <span class="grow" />
        {loading && data && <span class="muted">reading …</span>}
      </header>
      <Filters names={FILTERS}>
        <FilterField name="build" title="Build" width="9rem" />
        <FilterField name="first" title="From layer" kind="number" width="5rem" />
        <FilterField name="last" title="to layer" kind="number" width="5rem" />
        <FilterChoice name="type" title="Type" choices={[...ruleOfType.value.keys()]} />
        <FilterChoice name="severity" title="Severity" choices={["critical", "warning", "info"]} />
        <FilterChoice
          name="machine"
          title="Machine"
          choices={(machines.data?.machines ?? []).map((one) => one.machine_id)}
        />
        <FilterField name="sensor" title="Sensor" width="7rem" />
        <FilterField name="since" title="Since" kind="datetime" />
        <FilterField name="until" title="Until" kind="datetime" />
      </Filters>
      {problem && <Trouble problem={problem} onRetry={reload} />}
      {!data && !problem && <Loading what="anomalies" />}
      {data && items.length === 0 && !problem && (
        <Empty
          title={filtered ? "No anomaly fits these filters" : "No anomalies"}
          advice={
            filtered
              ? "Take a filter away, or clear all of them."
              : `No stored record broke a rule of the profile “${about.value?.profile.name ?? ""}”.`
          }
        />
      )}
      {items.length > 0 && (
        <>
          <div class="scroll-x">
            <table class="rows list" aria-label="Anomalies">
              <thead>
                <tr>
                  <th scope="col">Time</th>
                  <th scope="col">Severity</th>
                  <th scope="col">Type</th>
                  <th scope="col">Build</th>
                  <th scope="col" class="num">Layer</th>
                  <th scope="col">Sensor</th>
                  {CHANNELS.map((name) => (
                    <th key={name} scope="col" class="num">
                      {channelName(name)} <span class="muted">{unitOf(name)}</span>
                    </th>
                  ))}
                  <th scope="col">Where in Kafka</th>
                </tr>
              </thead>
              <tbody>
                {items.map((one, index) => (
                  <tr
                    key={one.record_key}
                    class={index === selected ? "selected" : undefined}
                    onClick={() => select(index)}
                    onDblClick={() => open(one)}
                  >
                    <td class="time" title={`${one.timestamp ?? ""} s since 1970`}>
                      {clock(one.timestamp, nowS.peek(), 3)}
                    </td>
                    <td>
                      <Severity of={one.severity} />
                    </td>
                    <td>
                      {words(one.anomaly_type)}
                      {one.late && <span class="tag beside">late</span>}
                    </td>
                    <td>{one.build_id ?? "–"}</td>
                    <td class="num">
                      {one.build_id ? (
                        <a href={href("build", { build: one.build_id, layer: one.layer })}>{one.layer ?? "–"}</a>
                      ) : (
                        (one.layer ?? "–")
                      )}
                    </td>
                    <td>{one.sensor_id ?? "–"}</td>
                    {CHANNELS.map((name) => (
                      <td
                        key={name}
                        class={`num ${ruleOfType.value.get(one.anomaly_type)?.channel === name ? "strong" : ""}`}
                      >
                        {fixed(one[name], channelDigits(name))}
                      </td>
                    ))}
                    <td class="muted time">
                      {one.topic}/{one.partition}/{one.offset}
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
          <Pager total={data?.total} what="anomaly" many="anomalies" shown={items.length} next={data?.next_cursor ?? null} />
        </>
      )}
    </section>
  );
}
