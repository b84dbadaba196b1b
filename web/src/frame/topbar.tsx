/** The bar above all screens: where to go, and how the pipeline is. */

import type { AlertPage } from "../api/types";
import { forgetToken, token } from "../api/token";
import { compact } from "./compact";
import { about } from "../state/about";
import { connection, ledgerRevision, liveStatus, resultsRevision } from "../state/live";
import { useResource } from "../state/resource";
import { href, route, type Screen } from "../state/router";
import { dark, toggleTheme } from "../state/theme";

const PLACES: [Screen, string][] = [
  ["fleet", "Fleet"],
  ["build", "Build"],
  ["anomalies", "Anomalies"],
  ["alerts", "Alerts"],
  ["health", "Health"],
];

export function TopBar({ lastBuild, onHelp }: { lastBuild: string | null; onHelp: () => void }) {
  const here = route.value.screen === "decisions" ? "build" : route.value.screen;
  const alerts = useResource<AlertPage>("/alerts?limit=1", [resultsRevision, ledgerRevision]);
  const open = alerts.data ? alerts.data.open.critical + alerts.data.open.warning : 0;
  return (
    <header class="topbar">
      <a class="brand" href="/" aria-label="pbf_ray, fleet">
        <img src="/icon.svg" alt="" width="22" height="22" />
        <span>pbf_ray</span>
      </a>
      <nav aria-label="Screens">
        {PLACES.filter(([screen]) => screen !== "build" || lastBuild !== null).map(([screen, title]) => (
          <a
            key={screen}
            href={screen === "build" ? href("build", { build: lastBuild }) : href(screen)}
            aria-current={screen === here ? "page" : undefined}
          >
            {title}
            {screen === "alerts" && open > 0 && (
              <span class={`badge ${alerts.data && alerts.data.open.critical > 0 ? "critical" : "warning"}`}>
                {open}
                <span class="unseen"> open</span>
              </span>
            )}
          </a>
        ))}
      </nav>
      <span class="grow" />
      <Live />
      <button type="button" class="quiet" onClick={toggleTheme} aria-label={dark.value ? "Light" : "Dark"} title="Light or dark (t)">
        {dark.value ? "☀" : "☾"}
      </button>
      {about.value?.caller.token && token() && (
        <button
          type="button"
          class="quiet"
          title={`${about.value.caller.name}: ${about.value.caller.scopes.join(", ")}`}
          onClick={() => {
            forgetToken();
            location.reload();
          }}
        >
          Leave
        </button>
      )}
      <button type="button" class="quiet" onClick={onHelp} aria-label="Keys" title="Keys (?)">
        ?
      </button>
    </header>
  );
}

function Live() {
  const status = liveStatus.value;
  const live = connection.value === "live";
  const verdict = live ? (status?.verdict ?? "connected") : connection.value === "lost" ? "no connection" : "connecting";
  const good = live && (status === null || status.healthy);
  return (
    <a class={`live ${good ? "good" : "bad"}`} href="/health" aria-live="polite" title="Health of the pipeline">
      <i aria-hidden="true" />
      <span>{verdict}</span>
      {status && live && (
        <span class="muted num wide">
          epoch {status.epoch} · {compact(status.records_per_s)} rec/s · lag {compact(status.lag)}
        </span>
      )}
    </a>
  );
}
