/** A build, live or past: strips of all layers, one layer in full. */

import { useEffect } from "preact/hooks";
import type { Build, Page } from "../api/types";
import { comparedLayer, comparisonText, parseComparison } from "../build/compare";
import { Findings } from "../build/findings";
import { BuildHead } from "../build/head";
import { Indicators } from "../build/indicators";
import type { LayerTable } from "../build/layertable";
import { Scrubber } from "../build/scrubber";
import { useBuild, useLayers } from "../build/usebuild";
import { count, fixed } from "../format";
import { COLOUR_MODES, type ColourMode } from "../layer/colouring";
import { LayerView } from "../layer/view";
import { Severity } from "../parts/severity";
import { Empty, Loading, Trouble } from "../parts/states";
import { useKeys } from "../state/keys";
import { useResource } from "../state/resource";
import { href, type Params, setParams } from "../state/router";
import { Trends } from "../trends/trends";

export function BuildScreen({ params }: { params: Params }) {
  const id = params["build"] ?? null;
  const { data: build, problem } = useBuild(id);
  const layers = useLayers(id);
  if (id === null) {
    return (
      <Empty title="No build is chosen" advice="Choose one on the fleet screen (keys g f), or give ?build=ID." />
    );
  }
  if (problem && !build) return <Trouble problem={problem} />;
  if (layers.problem && !layers.table) return <Trouble problem={layers.problem} />;
  if (!build || !layers.table) return <Loading what={`build ${id}`} />;
  if (layers.table.rows === 0) {
    return (
      <>
        <BuildHead build={build} current="build" />
        <Empty title="This build has no layers yet" advice="They appear with the first records that are stored." />
      </>
    );
  }
  return <OneBuild build={build} table={layers.table} params={params} />;
}

interface Props {
  build: Build;
  table: LayerTable;
  params: Params;
}

function OneBuild({ build, table, params }: Props) {
  const wanted = Number.parseInt(params["layer"] ?? "", 10);
  // Without a layer in the address the page follows the newest.
  const following = Number.isNaN(wanted);
  const newest = table.last ?? 0;
  const layer = following ? newest : (table.step(wanted, 0) ?? newest);
  const comparison = parseComparison(params["compare"]);
  const compared = comparedLayer(comparison, build.build_id, layer, table.first ?? 0);
  const otherBuild = comparison.kind === "build" ? comparison.build : null;
  const other = useLayers(otherBuild);
  const comparedTable = otherBuild === null ? table : other.table;
  const comparedName =
    comparison.kind === "before" ? `layer ${layer - 1}` : `${otherBuild ?? ""}, layer ${layer}`;
  const mode = COLOUR_MODES.find((one) => one === params["colour"]) ?? ("kind" satisfies ColourMode);
  const hidden = (params["hide"] ?? "jump").split(",").filter((name) => name && name !== "none");
  const span = params["span"] === "build" ? "build" : "layer";

  const to = (next: number | null): void => {
    if (next !== null) setParams({ layer: next });
  };
  const follow = (): void => setParams({ layer: null });
  const step = (by: number): void => to(table.step(layer, by));
  useKeys("Build", [
    { keys: ["ArrowLeft"], what: "layer before", act: () => step(-1) },
    { keys: ["ArrowRight"], what: "layer after", act: () => step(1) },
    { keys: ["Shift+ArrowLeft", "PageDown"], what: "10 layers back", act: () => step(-10) },
    { keys: ["Shift+ArrowRight", "PageUp"], what: "10 layers on", act: () => step(10) },
    { keys: ["Home"], what: "first layer", act: () => to(table.first) },
    { keys: ["End"], what: "last layer", act: () => to(table.last) },
    { keys: ["["], what: "last layer before with anomalies", act: () => to(table.withAnomalies(layer, -1)) },
    { keys: ["]"], what: "next layer with anomalies", act: () => to(table.withAnomalies(layer, 1)) },
    { keys: ["l"], what: "follow the newest layer", act: follow },
    {
      keys: ["c"],
      what: "compare with the layer before, or not",
      act: () => setParams({ compare: comparison.kind === "before" ? null : "before" }),
    },
    {
      keys: ["s"],
      what: "trends of the layer or of the build",
      act: () => setParams({ span: span === "layer" ? "build" : null }),
    },
  ]);
  useEffect(() => {
    document.title = `${build.build_id} layer ${layer} · pbf_ray`;
  }, [build.build_id, layer]);

  const severity = table.text("severity", layer) ?? "none";
  return (
    <div class="build-screen">
      <BuildHead build={build} current="build" />
      <section class="panel" aria-label="Layers of the build">
        <header class="panel-head layer-head">
          <h2>
            Layer <b class="num big">{fixed(layer)}</b>
            <span class="muted num">
              {" "}
              {build.planned_layers ? `· ${fixed(build.planned_layers)} planned` : `· newest ${fixed(newest)}`}
            </span>
          </h2>
          <Severity of={severity} />
          <span class="num">quality {fixed(table.number("quality_score", layer), 3)}</span>
          <span class="num">{fixed(table.number("n", layer))} records</span>
          {table.text("state", layer) === "open" && <span class="tag">open</span>}
          <span class="grow" />
          <Compare build={build} value={comparisonText(comparison) ?? ""} />
          <div class="buttons">
            <button type="button" onClick={() => step(-1)} aria-label="Layer before">
              ‹
            </button>
            <button type="button" onClick={() => step(1)} aria-label="Layer after">
              ›
            </button>
            <button
              type="button"
              aria-pressed={following}
              onClick={() => (following ? to(layer) : follow())}
              title="Show each layer as it comes (l)"
            >
              Follow
            </button>
          </div>
        </header>
        <Scrubber
          table={table}
          planned={build.planned_layers}
          layer={layer}
          compared={comparison.kind === "before" ? (compared?.layer ?? null) : null}
          onLayer={to}
        />
      </section>
      <div class="build-middle">
        <LayerView
          shown={{ build: build.build_id, layer }}
          under={compared}
          hasFile={build.build_file}
          mode={mode}
          hidden={hidden}
          quality={table.number("quality_score", layer)}
          neighbours={[table.step(layer, 1), table.step(layer, -1)].filter((one) => one !== null)}
          view={params["view"]}
          onChange={(changed) =>
            setParams(changed.hide === null ? { ...changed, hide: "none" } : changed)
          }
        />
        <section class="panel side" aria-label="Figures of the layer">
          <header class="panel-head">
            <h2>Indicators</h2>
            <span class="grow" />
            <a href={href("anomalies", { build: build.build_id, first: layer, last: layer })}>
              {count(table.number("anomalies", layer) ?? 0, "anomaly", "anomalies")}
            </a>
          </header>
          <Indicators
            table={table}
            layer={layer}
            compared={
              compared && comparedTable
                ? { table: comparedTable, layer: compared.layer, name: comparedName }
                : null
            }
          />
          <Findings build={build.build_id} layer={layer} />
        </section>
      </div>
      <Trends
        shown={{ build: build.build_id, layer }}
        compared={compared}
        comparedName={comparedName}
        span={span}
        onSpan={(next) => setParams({ span: next === "layer" ? null : next })}
        onLayer={to}
      />
    </div>
  );
}

function Compare({ build, value }: { build: Build; value: string }) {
  const builds = useResource<Page<Build>>("/builds?limit=100");
  const others = (builds.data?.items ?? []).filter((one) => one.build_id !== build.build_id);
  const named = value.startsWith("build:") ? value.slice(6) : null;
  const ids = [...new Set([...(named ? [named] : []), ...others.map((one) => one.build_id)])];
  return (
    <label class="inline">
      compare with{" "}
      <select value={value} onChange={(event) => setParams({ compare: event.currentTarget.value || null })}>
        <option value="">nothing</option>
        <option value="before">the layer before</option>
        {ids.length > 0 && (
          <optgroup label="same layer of">
            {ids.map((id) => (
              <option key={id} value={`build:${id}`}>
                {id}
              </option>
            ))}
          </optgroup>
        )}
      </select>
    </label>
  );
}
