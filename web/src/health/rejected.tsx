/** Dead letters and late records: what the results do not hold, and why. */

import type { DeadLetter, DeadLetterPage, LateRecord, Page } from "../api/types";
import { withQuery } from "../api/client";
import { bytes, clock, duration, fixed, instant, words } from "../format";
import { Pager } from "../parts/pager";
import { Empty, Loading, Trouble } from "../parts/states";
import { resultsRevision } from "../state/live";
import { nowS } from "../state/now";
import { useResource } from "../state/resource";
import { href, type Params, setParams } from "../state/router";

const PAGE = 25;

export function Rejected({ params }: { params: Params }) {
  const kind = params["records"] === "late" ? "late" : "dead";
  return (
    <section class="panel" aria-label="Records that were not taken">
      <header class="panel-head">
        <h2>Not in the results</h2>
        <div class="segments" role="group" aria-label="Kind of records">
          <button
            type="button"
            aria-pressed={kind === "dead"}
            onClick={() => setParams({ records: null, cursor: null }, "push")}
          >
            Dead letters
          </button>
          <button
            type="button"
            aria-pressed={kind === "late"}
            onClick={() => setParams({ records: "late", cursor: null, reason: null }, "push")}
          >
            Late records
          </button>
        </div>
      </header>
      {kind === "dead" ? <DeadLetters params={params} /> : <LateRecords params={params} />}
    </section>
  );
}

function DeadLetters({ params }: { params: Params }) {
  const { data, problem, reload } = useResource<DeadLetterPage>(
    withQuery("/dead-letters", { reason: params["reason"], cursor: params["cursor"], limit: PAGE }),
    params["cursor"] ? [] : [resultsRevision],
    true,
  );
  if (problem) return <Trouble problem={problem} onRetry={reload} />;
  if (!data) return <Loading what="dead letters" />;
  const reasons = Object.entries(data.reasons);
  return (
    <>
      {reasons.length > 0 && (
        <div class="reasons">
          {reasons.map(([reason, number]) => (
            <button
              key={reason}
              type="button"
              aria-pressed={params["reason"] === reason}
              onClick={() =>
                setParams({ reason: params["reason"] === reason ? null : reason, cursor: null }, "push")
              }
            >
              {words(reason)} <b class="num">{fixed(number)}</b>
            </button>
          ))}
        </div>
      )}
      {data.items.length === 0 && (
        <Empty title="No dead letters" advice="Every message could be read as a record." />
      )}
      {data.items.length > 0 && (
        <>
          <div class="scroll-x">
            <table class="rows list">
              <thead>
                <tr>
                  <th scope="col">Sent</th>
                  <th scope="col">Reason</th>
                  <th scope="col">Detail</th>
                  <th scope="col">Value</th>
                  <th scope="col" class="num">Size</th>
                  <th scope="col">Where in Kafka</th>
                </tr>
              </thead>
              <tbody>
                {data.items.map((one: DeadLetter) => (
                  <tr key={one.record_key}>
                    <td class="time">{clock(instant(one.kafka_timestamp), nowS.peek(), 3)}</td>
                    <td>{words(one.reason)}</td>
                    <td class="wrap">{one.detail}</td>
                    <td class="value" title={one.value_text ?? ""}>
                      <code>{one.value_text ?? "–"}</code>
                    </td>
                    <td class="num">{bytes(one.value_bytes)}</td>
                    <td class="muted time">
                      {one.topic}/{one.partition}/{one.offset}
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
          <p class="muted pad">
            To send one again: <code>pbf-ray deadletters replay</code>.
          </p>
          <Pager total={data.total} what="dead letter" shown={data.items.length} next={data.next_cursor} />
        </>
      )}
    </>
  );
}

function LateRecords({ params }: { params: Params }) {
  const { data, problem, reload } = useResource<Page<LateRecord>>(
    withQuery("/late-records", { build: params["build"], cursor: params["cursor"], limit: PAGE }),
    params["cursor"] ? [] : [resultsRevision],
    true,
  );
  if (problem) return <Trouble problem={problem} onRetry={reload} />;
  if (!data) return <Loading what="late records" />;
  if (data.items.length === 0) {
    return <Empty title="No late records" advice="Every record came before its layer was closed." />;
  }
  return (
    <>
      <div class="scroll-x">
        <table class="rows list">
          <thead>
            <tr>
              <th scope="col">Time</th>
              <th scope="col">Build</th>
              <th scope="col" class="num">Layer</th>
              <th scope="col">Sensor</th>
              <th scope="col" class="num">Behind the watermark</th>
              <th scope="col">Where in Kafka</th>
            </tr>
          </thead>
          <tbody>
            {data.items.map((one) => (
              <tr key={one.record_key}>
                <td class="time">{clock(one.timestamp, nowS.peek(), 3)}</td>
                <td>{one.build_id ?? "–"}</td>
                <td class="num">
                  {one.build_id ? (
                    <a href={href("build", { build: one.build_id, layer: one.layer })}>{one.layer ?? "–"}</a>
                  ) : (
                    (one.layer ?? "–")
                  )}
                </td>
                <td>{one.sensor_id ?? "–"}</td>
                <td class="num">
                  {one.watermark !== null && one.timestamp !== null ? duration(one.watermark - one.timestamp) : "–"}
                </td>
                <td class="muted time">
                  {one.topic}/{one.partition}/{one.offset}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <Pager total={data.total} what="late record" shown={data.items.length} next={data.next_cursor} />
    </>
  );
}
