/** All machines, the most urgent first, and all builds. */

import { useMemo } from "preact/hooks";
import type { Build, Machine, Page } from "../api/types";
import { phaseText } from "../build/head";
import { age, clock, duration, fixed } from "../format";
import { freshness, remainingS, urgency } from "../fleet/urgency";
import { Pager } from "../parts/pager";
import { Severity, SeverityCounts } from "../parts/severity";
import { Empty, Loading, Trouble } from "../parts/states";
import { withQuery } from "../api/client";
import { ledgerRevision, resultsRevision } from "../state/live";
import { nowS } from "../state/now";
import { useResource } from "../state/resource";
import { href, type Params } from "../state/router";

export function FleetScreen({ params }: { params: Params }) {
  const revisions = [resultsRevision, ledgerRevision];
  const machines = useResource<{ machines: Machine[] }>("/machines", revisions);
  const builds = useResource<Page<Build>>(
    withQuery("/builds", { limit: 25, machine: params["machine"], cursor: params["cursor"] }),
    revisions,
    true,
  );
  const byId = useMemo(
    () => new Map((builds.data?.items ?? []).map((build) => [build.build_id, build])),
    [builds.data],
  );
  // To the second: what is urgent follows the age of the last record.
  const now = nowS.value;
  const sorted = (machines.data?.machines ?? []).toSorted(
    (a, b) => urgency(b, now) - urgency(a, now) || a.machine_id.localeCompare(b.machine_id),
  );
  return (
    <>
      {machines.problem && <Trouble problem={machines.problem} onRetry={machines.reload} />}
      {!machines.data && !machines.problem && <Loading what="the machines" />}
      {machines.data && sorted.length === 0 && (
        <Empty
          title="No machine has sent a record yet"
          advice="Start the stream (pbf-ray stream) and a source (pbf-ray simulate, or a machine that writes to Kafka). Machines appear here with their first stored records."
        />
      )}
      <ul class="cards" aria-label="Machines">
        {sorted.map((machine) => (
          <Card
            key={machine.machine_id}
            machine={machine}
            build={byId.get(machine.build_id ?? "") ?? null}
            now={now}
          />
        ))}
      </ul>
      <BuildList builds={builds.data} problem={builds.problem} />
    </>
  );
}

function Card({ machine, build, now }: { machine: Machine; build: Build | null; now: number }) {
  const fresh = freshness({ id: machine.machine_id, ...machine }, now);
  const remaining = remainingS(machine, build);
  const address = machine.build_id ? href("build", { build: machine.build_id }) : null;
  const planned = machine.planned_layers;
  const done = planned && machine.layer !== null ? Math.min(1, (machine.layer + 1) / planned) : null;
  return (
    <li class={`card ${machine.severity}`}>
      <header>
        <h2>{address ? <a href={address}>{machine.machine_id}</a> : machine.machine_id}</h2>
        <span class={`tag phase ${machine.phase ?? "ended"}`}>{phaseText(machine.phase)}</span>
        <span class="grow" />
        <Severity of={machine.severity} />
      </header>
      <div class="card-layer num">
        <span class="huge">{machine.layer === null ? "–" : fixed(machine.layer)}</span>
        <span class="muted">{planned ? `layer · ${fixed(planned)} planned` : "layer"}</span>
        <span class="grow" />
        <span class="quality">
          <b>{fixed(machine.quality_score, 3)}</b>
          <span class="muted">quality</span>
        </span>
      </div>
      {done !== null && (
        <div class="bar" role="img" aria-label={`${fixed(done * 100)} % of the layers`}>
          <i style={{ width: `${done * 100}%` }} />
        </div>
      )}
      <dl class="facts">
        <div>
          <dt>Build</dt>
          <dd>{machine.build_id ?? "–"}</dd>
        </div>
        <div>
          <dt>Left</dt>
          <dd class="num">{remaining === null ? "–" : remaining === 0 ? "last layer" : `about ${duration(remaining)}`}</dd>
        </div>
        <div>
          <dt>Open alerts</dt>
          <dd>
            {address ? (
              <a class="plain" href={href("alerts", { machine: machine.machine_id })}>
                <SeverityCounts counts={machine.open_alerts} none="none" />
              </a>
            ) : (
              <SeverityCounts counts={machine.open_alerts} none="none" />
            )}
          </dd>
        </div>
        <div>
          <dt>Data</dt>
          <dd class={`fresh ${fresh}`}>
            {fresh} <span class="muted num">{age(machine.last_timestamp, now)}</span>
          </dd>
        </div>
      </dl>
    </li>
  );
}

interface ListProps {
  builds: Page<Build> | null;
  problem: Parameters<typeof Trouble>[0]["problem"] | null;
}

function BuildList({ builds, problem }: ListProps) {
  if (problem && !builds) return <Trouble problem={problem} />;
  if (!builds || builds.items.length === 0) return null;
  return (
    <section class="panel" aria-label="Builds">
      <header class="panel-head">
        <h2>Builds</h2>
      </header>
      <div class="scroll-x">
        <table class="rows">
          <thead>
            <tr>
              <th scope="col">Build</th>
              <th scope="col">Machine</th>
              <th scope="col">State</th>
              <th scope="col" class="num">Layers</th>
              <th scope="col" class="num">Records</th>
              <th scope="col" class="num">Quality</th>
              <th scope="col" class="num">Worst</th>
              <th scope="col">Anomalies</th>
              <th scope="col">Open alerts</th>
              <th scope="col">Decision</th>
              <th scope="col">Last record</th>
            </tr>
          </thead>
          <tbody>
            {builds.items.map((build) => (
              <tr key={build.build_id}>
                <th scope="row">
                  <a href={href("build", { build: build.build_id })}>{build.build_id}</a>
                </th>
                <td>{build.machine_ids.join(", ")}</td>
                <td>{phaseText(build.phase)}</td>
                <td class="num">
                  {fixed(build.layers_closed + build.layers_open)}
                  {build.planned_layers ? <span class="muted"> / {fixed(build.planned_layers)}</span> : ""}
                </td>
                <td class="num">{fixed(build.records)}</td>
                <td class="num">{fixed(build.quality_score_mean, 3)}</td>
                <td class="num">{fixed(build.quality_score_min, 3)}</td>
                <td>
                  <SeverityCounts counts={build.anomalies_by_severity} none="none" />
                </td>
                <td>
                  <SeverityCounts counts={build.open_alerts} none="none" />
                </td>
                <td>
                  <a href={href("decisions", { build: build.build_id })}>
                    {build.disposition ? build.disposition.disposition : "open"}
                  </a>
                </td>
                <td class="time muted">{clock(build.last_timestamp, nowS.peek())}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <Pager total={builds.total} what="build" shown={builds.items.length} next={builds.next_cursor} />
    </section>
  );
}
