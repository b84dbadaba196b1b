/** What was found in a layer, and what its build file plans for it. */

import type { LayerDetail } from "../api/types";
import { withQuery } from "../api/client";
import { duration, fixed, quantity } from "../format";
import { Severity } from "../parts/severity";
import { Loading, Trouble } from "../parts/states";
import { ledgerRevision, resultsRevision } from "../state/live";
import { useResource } from "../state/resource";
import { href } from "../state/router";
import { buildPath } from "./usebuild";


const PLAN: [string, string, (value: number | null) => string][] = [
  ["z_mm", "Height", (value) => quantity(value, "mm", 3)],
  ["layer_thickness_um", "Layer thickness", (value) => quantity(value, "um", 0)],
  ["layer_time_s", "Layer time", (value) => duration(value)],
  ["scan_time_s", "Scan time", (value) => duration(value)],
  ["hatch_vectors", "Hatch vectors", (value) => fixed(value)],
  ["hatched_length_mm", "Hatched length", (value) => quantity(value === null ? null : value / 1000, "m", 2)],
  ["contour_length_mm", "Contour length", (value) => quantity(value === null ? null : value / 1000, "m", 2)],
  ["hatched_area_mm2", "Hatched area", (value) => quantity(value, "mm2", 1)],
  ["hatch_distance_mm", "Hatch distance", (value) => quantity(value, "mm", 3)],
  ["scan_axis_deg", "Scan axis", (value) => quantity(value, "deg", 1)],
  ["volumetric_energy_j_mm3", "Energy density", (value) => quantity(value, "J/mm3", 1)],
];

export function Findings({ build, layer }: { build: string; layer: number }) {
  const { data, problem } = useResource<LayerDetail>(
    withQuery(buildPath(build, `/layers/${layer}`), {}),
    [resultsRevision, ledgerRevision],
    true,
  );
  if (problem && problem.status !== 404) return <Trouble problem={problem} />;
  if (problem) return <p class="muted pad">The pipeline has no records of this layer.</p>;
  if (!data) return <Loading what="the layer" />;
  const planned = PLAN.filter(([name]) => typeof data.plan?.[name] === "number");
  return (
    <>
      <ul class="findings">
        {data.findings.length === 0 && <li class="muted">Nothing found in this layer.</li>}
        {data.findings.map((finding) => (
          <li key={finding.alert_id}>
            <Severity of={finding.severity} />
            <span>{finding.text}</span>
            <a href={href("anomalies", { build, first: layer, last: layer, type: finding.anomaly_type })}>
              records
            </a>
          </li>
        ))}
      </ul>
      {planned.length > 0 && (
        <dl class="facts plan" aria-label="Plan of the layer">
          {planned.map(([name, title, show]) => (
            <div key={name}>
              <dt>{title}</dt>
              <dd class="num">{show(data.plan?.[name] ?? null)}</dd>
            </div>
          ))}
        </dl>
      )}
    </>
  );
}
