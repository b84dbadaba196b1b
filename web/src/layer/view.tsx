/** The layer view: scan vectors in mm, with legend, read-out, mouse, touch and keys. */

import { useEffect, useRef, useState } from "preact/hooks";
import { aborted, asProblem, getBytes } from "../api/client";
import type { Problem } from "../api/problem";
import { buildPath } from "../build/usebuild";
import { fixed, quantity } from "../format";
import { themeValue, useSize } from "../parts/canvas";
import { Empty, Trouble } from "../parts/states";
import { useKeys } from "../state/keys";
import { dark } from "../state/theme";
import { cameraText, parseCamera, toMm, zoom } from "./camera";
import { COLOUR_MODES, type ColourMode, type Legend } from "./colouring";
import { useGestures } from "./gestures";
import { Legends } from "./legend";
import type { LayerFacts, Picked } from "./messages";
import { VECTORS_TYPE } from "./vectors";
import { LayerViewer } from "./viewer";

export interface LayerRef {
  build: string;
  layer: number;
}

interface Props {
  shown: LayerRef;
  under: LayerRef | null;
  hasFile: boolean;
  mode: ColourMode;
  hidden: string[];
  quality: number | null;
  /** Layers that are likely to be wanted next. */
  neighbours: number[];
  view: string | undefined;
  onChange: (changed: { colour?: string; hide?: string | null; view?: string | null }) => void;
}

const SETTLE_MS = 120;
/** Larger layers are not fetched before they are asked for. */
const MOST_TO_FETCH_AHEAD = 200_000;
const keyOf = (at: LayerRef): string => `${at.build}\n${at.layer}`;

export function LayerView(props: Props) {
  const { shown, under, hasFile, mode, hidden, quality, neighbours, view, onChange } = props;
  const place = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const viewer = useRef<LayerViewer | null>(null);
  const size = useSize(place);
  const [told, setTold] = useState<{ legend: Legend | null; facts: LayerFacts | null }>({
    legend: null,
    facts: null,
  });
  const [picked, setPicked] = useState<Picked | null>(null);
  const [problem, setProblem] = useState<Problem | null>(null);
  const [waiting, setWaiting] = useState(false);
  const readout = useRef<HTMLOutputElement>(null);
  const isDark = dark.value;

  useEffect(() => {
    if (!canvas.current) return undefined;
    const made = new LayerViewer(canvas.current);
    made.onTold = setTold;
    made.onPicked = setPicked;
    made.onProblem = (message) => setProblem(asProblem(new Error(message)));
    made.camera = parseCamera(view);
    viewer.current = made;
    return () => made.close();
  }, []);

  useEffect(() => {
    if (size) viewer.current?.setSize(size);
  }, [size]);

  useEffect(() => {
    viewer.current?.setLook({
      mode,
      hidden,
      quality,
      dark: isDark,
      ink: { line: themeValue("--grid"), text: themeValue("--ink"), ground: themeValue("--bed") },
    });
  }, [mode, hidden.join(), quality, isDark]);

  const shownKey = keyOf(shown);
  const underKey = under ? keyOf(under) : null;
  useEffect(() => {
    viewer.current?.show(hasFile ? shownKey : null, underKey);
    setProblem(null);
    if (!hasFile) return undefined;
    const stop = new AbortController();
    const load = async (at: LayerRef): Promise<void> => {
      if (viewer.current?.holds(keyOf(at))) return;
      const path = buildPath(at.build, `/layers/${at.layer}/vectors`);
      const buffer = await getBytes(path, VECTORS_TYPE, stop.signal);
      viewer.current?.load(keyOf(at), buffer);
    };
    // While layers fly past, only the one where the hand rests is asked for.
    const timer = setTimeout(
      async () => {
        setWaiting(true);
        try {
          await load(shown);
          if (under) {
            await load(under).catch((error: unknown) => {
              // What is compared with may have no file; its own layer is shown all the same.
              if (asProblem(error).status !== 404) throw error;
            });
          }
          setWaiting(false);
          if ((viewer.current?.vectorsOf(shownKey) ?? Infinity) > MOST_TO_FETCH_AHEAD) return;
          for (const layer of neighbours) await load({ build: shown.build, layer });
        } catch (error) {
          if (!aborted(error) && !stop.signal.aborted) setProblem(asProblem(error));
        } finally {
          if (!stop.signal.aborted) setWaiting(false);
        }
      },
      viewer.current?.holds(shownKey) ? 0 : SETTLE_MS,
    );
    return () => {
      clearTimeout(timer);
      stop.abort();
    };
  }, [shownKey, underKey, hasFile]);

  const writeView = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  const noteView = (): void => {
    clearTimeout(writeView.current);
    writeView.current = setTimeout(() => {
      const camera = viewer.current?.camera;
      onChange({ view: camera ? cameraText(camera) : null });
    }, 400);
  };
  useEffect(() => () => clearTimeout(writeView.current), []);

  const zoomAt = (factor: number, px: number, py: number): void => {
    const camera = viewer.current?.effectiveCamera();
    if (!camera || !size) return;
    viewer.current?.setCamera(zoom(camera, factor, px, py, size.width, size.height));
    noteView();
  };
  const zoomMiddle = (factor: number): void => {
    if (size) zoomAt(factor, size.width / 2, size.height / 2);
  };
  const fitAll = (): void => {
    viewer.current?.fit();
    noteView();
  };
  useGestures(canvas, size, viewer, { zoomAt, noteView });

  const cycle = (): void => {
    const next = COLOUR_MODES[(COLOUR_MODES.indexOf(mode) + 1) % COLOUR_MODES.length];
    onChange({ colour: next ?? "kind" });
  };
  useKeys("Layer view", [
    { keys: ["+", "="], what: "nearer", act: () => zoomMiddle(0.7) },
    { keys: ["-"], what: "further", act: () => zoomMiddle(1 / 0.7) },
    { keys: ["0"], what: "show all of the layer", act: fitAll },
    { keys: ["v"], what: "colour by the next quantity", act: cycle },
  ]);

  const tell = (event: PointerEvent): void => {
    const camera = viewer.current?.effectiveCamera();
    if (!camera || !size || !canvas.current || !readout.current) return;
    const box = canvas.current.getBoundingClientRect();
    const at = toMm(camera, event.clientX - box.left, event.clientY - box.top, size.width, size.height);
    readout.current.textContent = `x ${fixed(at.x, 2)}  y ${fixed(at.y, 2)} mm`;
    if (event.buttons === 0) viewer.current?.pick(at.x, at.y);
  };

  return (
    <section class="panel layer-view" aria-label="Layer view">
      <header class="panel-head">
        <h2>Scan vectors</h2>
        <label class="inline">
          colour by{" "}
          <select value={mode} onChange={(event) => onChange({ colour: event.currentTarget.value })}>
            {COLOUR_MODES.map((one) => (
              <option key={one}>{one}</option>
            ))}
          </select>
        </label>
        <span class="grow" />
        <span class="muted num">
          {told.facts && hasFile ? `z ${quantity(told.facts.z_mm, "mm", 3)} · ${fixed(told.facts.vectors)} vectors` : ""}
          {waiting ? " · loading" : ""}
        </span>
        <div class="buttons">
          <button type="button" onClick={() => zoomMiddle(0.7)} aria-label="Nearer">
            +
          </button>
          <button type="button" onClick={() => zoomMiddle(1 / 0.7)} aria-label="Further">
            −
          </button>
          <button type="button" onClick={fitAll}>
            Fit
          </button>
        </div>
      </header>
      <div ref={place} class="layer-bed" data-testid="layer-bed">
        <canvas
          ref={canvas}
          role="img"
          aria-label={`Scan vectors of layer ${shown.layer} of ${shown.build}, coloured by ${mode}`}
          onPointerMove={tell}
          onPointerLeave={() => {
            if (readout.current) readout.current.textContent = "";
          }}
          onDblClick={fitAll}
        />
        {!hasFile && (
          <div class="bed-note">
            <Empty
              title="No build file for this build"
              advice="Register its folder: pbf-ray serve --build-files FOLDER"
            />
          </div>
        )}
        {problem && hasFile && (
          <div class="bed-note">
            <Trouble problem={problem} />
          </div>
        )}
        <output ref={readout} class="readout num" />
      </div>
      <Legends
        legend={hasFile ? told.legend : null}
        facts={hasFile ? told.facts : null}
        hidden={hidden}
        picked={picked}
        isDark={isDark}
        onHide={(names) => onChange({ hide: names.join(",") || null })}
      />
    </section>
  );
}
