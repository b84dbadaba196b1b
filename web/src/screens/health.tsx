/** How the pipeline is, how far behind, and what it could not take. */

import type { Pipeline } from "../api/types";
import { freshness } from "../fleet/urgency";
import { age, bytes, clock, duration, fixed, instant, words } from "../format";
import { Rejected } from "../health/rejected";
import { Empty, Loading, Trouble } from "../parts/states";
import { phaseText } from "../build/head";
import { resultsRevision } from "../state/live";
import { nowS } from "../state/now";
import { useResource } from "../state/resource";
import { href, type Params } from "../state/router";

const BOOKS = ["consumed", "accepted", "duplicates", "late", "dead_letters", "dropped", "pending", "anomalies", "layers"];

export function HealthScreen({ params }: { params: Params }) {
  const { data, problem, reload } = useResource<Pipeline>("/pipeline", [resultsRevision]);
  return (
    <>
      {problem?.status === 404 && !data && (
        <Empty title="The job has not run yet" advice="Start it with pbf-ray stream; its health appears here." />
      )}
      {problem && problem.status !== 404 && <Trouble problem={problem} onRetry={reload} />}
      {!data && !problem && <Loading what="the state of the pipeline" />}
      {data && <Told pipeline={data} />}
      <Rejected params={params} />
    </>
  );
}

function Told({ pipeline }: { pipeline: Pipeline }) {
  const now = nowS.value;
  const books = BOOKS.filter((name) => name in pipeline.books);
  return (
    <>
      <section class={`panel verdict ${pipeline.healthy ? "healthy" : "unhealthy"}`} aria-label="Verdict">
        <header class="panel-head">
          <h2>
            {pipeline.job_id}: {pipeline.verdict}
          </h2>
          <span>{pipeline.explanation}</span>
          <span class="grow" />
          <span class="muted num">heartbeat {age(instant(pipeline.heartbeat_at), now)}</span>
        </header>
        <dl class="tiles">
          <Tile title="Lag" value={fixed(pipeline.lag)} unit="records" />
          <Tile title="Rate" value={fixed(pipeline.records_per_s)} unit="records/s" />
          <Tile title="Watermark behind" value={duration(pipeline.watermark_delay_s)} />
          <Tile title="Epoch" value={fixed(pipeline.epoch)} unit={`run ${pipeline.run}`} />
          <Tile title="Restarts" value={fixed(pipeline.restarts)} />
          <Tile title="State" value={bytes(pipeline.state_bytes)} />
        </dl>
        {pipeline.error && <p class="trouble">{Object.values(pipeline.error).map(String).join(" · ")}</p>}
      </section>
      <div class="columns">
        <section class="panel" aria-label="Sources">
          <header class="panel-head">
            <h2>Sources</h2>
          </header>
          {pipeline.sources.length === 0 && <Empty title="No sensor has sent a record" />}
          {pipeline.sources.length > 0 && (
            <div class="scroll-x">
              <table class="rows">
                <thead>
                  <tr>
                    <th scope="col">Sensor</th>
                    <th scope="col">Machine</th>
                    <th scope="col">Build</th>
                    <th scope="col">Data</th>
                    <th scope="col" class="num">Last record</th>
                  </tr>
                </thead>
                <tbody>
                  {pipeline.sources.map((source) => {
                    const phase = pipeline.builds.find((one) => one.build_id === source.build_id)?.phase ?? null;
                    const fresh = freshness({ id: source.sensor_id, ...source, phase }, now);
                    return (
                      <tr key={source.sensor_id}>
                        <th scope="row">{source.sensor_id}</th>
                        <td>{source.machine_id ?? "–"}</td>
                        <td>
                          {source.build_id && <a href={href("build", { build: source.build_id })}>{source.build_id}</a>}
                        </td>
                        <td class={`fresh ${fresh}`}>{fresh}</td>
                        <td class="num">{age(source.last_timestamp, now)}</td>
                      </tr>
                    );
                  })}
                </tbody>
              </table>
            </div>
          )}
        </section>
        <section class="panel" aria-label="Partitions">
          <header class="panel-head">
            <h2>Partitions</h2>
          </header>
          <Partitions pipeline={pipeline} />
        </section>
        <section class="panel" aria-label="Books">
          <header class="panel-head">
            <h2>Books</h2>
            <span class="muted">what became of the records</span>
          </header>
          <table class="rows">
            <tbody>
              {books.map((name) => (
                <tr key={name}>
                  <th scope="row">{words(name)}</th>
                  <td class="num">{fixed(pipeline.books[name])}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </section>
        <section class="panel" aria-label="Builds under way">
          <header class="panel-head">
            <h2>Event time</h2>
            <span class="muted">by build</span>
          </header>
          {pipeline.builds.length === 0 && <Empty title="No build is under way" />}
          {pipeline.builds.length > 0 && (
            <table class="rows">
              <thead>
                <tr>
                  <th scope="col">Build</th>
                  <th scope="col">State</th>
                  <th scope="col" class="num">Watermark</th>
                  <th scope="col" class="num">Behind</th>
                </tr>
              </thead>
              <tbody>
                {pipeline.builds.map((build) => (
                  <tr key={build.build_id}>
                    <th scope="row">
                      <a href={href("build", { build: build.build_id })}>{build.build_id}</a>
                    </th>
                    <td>{phaseText(build.phase)}</td>
                    <td class="num">{clock(build.watermark, now)}</td>
                    <td class="num">{duration(build.delay_s)}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          )}
        </section>
        <section class="panel" aria-label="Where the time goes">
          <header class="panel-head">
            <h2>Time</h2>
            <span class="muted">by stage, and waits</span>
          </header>
          <table class="rows">
            <thead>
              <tr>
                <th scope="col">Stage</th>
                <th scope="col" class="num">lately</th>
                <th scope="col" class="num">in all</th>
              </tr>
            </thead>
            <tbody>
              {Object.entries(pipeline.stages).map(([name, stage]) => (
                <tr key={name}>
                  <th scope="row">{words(name)}</th>
                  <td class="num">{duration(stage.recent_s)}</td>
                  <td class="num">{duration(stage.total_s)}</td>
                </tr>
              ))}
              {Object.entries(pipeline.waits).map(([name, wait]) => (
                <tr key={`wait ${name}`}>
                  <th scope="row">wait: {words(name)}</th>
                  <td class="num">{fixed(wait.count)} ×</td>
                  <td class="num">{duration(wait.total_s)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </section>
      </div>
    </>
  );
}

function Tile({ title, value, unit }: { title: string; value: string; unit?: string }) {
  return (
    <div>
      <dt>{title}</dt>
      <dd class="num">
        {value}
        {unit && <span class="muted"> {unit}</span>}
      </dd>
    </div>
  );
}

function Partitions({ pipeline }: { pipeline: Pipeline }) {
  const { partitions } = pipeline;
  if (partitions.length === 0) return <Empty title="No partitions yet" />;
  const most = Math.max(1, ...partitions.map((one) => one.lag ?? 0));
  return (
    <div class="scroll-x">
      <table class="rows">
        <thead>
          <tr>
            <th scope="col">Partition</th>
            <th scope="col" class="num">Position</th>
            <th scope="col" class="num">End</th>
            <th scope="col" class="num">Lag</th>
            <th scope="col" class="lag-bar">
              <span class="unseen">Share of the largest lag</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {partitions.map((one) => (
            <tr key={`${one.topic}/${one.partition}`}>
              <th scope="row">
                {one.topic}/{one.partition}
              </th>
              <td class="num">{fixed(one.position)}</td>
              <td class="num">{fixed(one.end)}</td>
              <td class="num">{fixed(one.lag)}</td>
              <td class="lag-bar">
                <i class="bar-fill" style={{ width: `${((one.lag ?? 0) / most) * 100}%` }} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
