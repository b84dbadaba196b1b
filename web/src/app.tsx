/** The page: a bar, the screen that the address names, and what lies over all. */

import { useEffect, useState } from "preact/hooks";
import { Help, TokenDialog } from "./frame/dialogs";
import { TopBar } from "./frame/topbar";
import { Empty, Trouble } from "./parts/states";
import { AlertsScreen } from "./screens/alerts";
import { AnomaliesScreen } from "./screens/anomalies";
import { BuildScreen } from "./screens/build";
import { DecisionsScreen } from "./screens/decisions";
import { FleetScreen } from "./screens/fleet";
import { HealthScreen } from "./screens/health";
import { about, aboutProblem } from "./state/about";
import { useKeys } from "./state/keys";
import { go, href, route, type Screen } from "./state/router";
import { toggleTheme } from "./state/theme";

const TITLES: Record<Screen, string> = {
  fleet: "Fleet",
  build: "Build",
  anomalies: "Anomalies",
  alerts: "Alerts",
  decisions: "Decisions",
  health: "Data health",
};

export function App() {
  const { screen, params } = route.value;
  const [help, setHelp] = useState(false);
  const [lastBuild, setLastBuild] = useState<string | null>(null);
  useEffect(() => {
    if (params["build"]) setLastBuild(params["build"]);
  }, [params["build"]]);
  useEffect(() => {
    document.title = `${screen ? TITLES[screen] : "Not found"} · pbf_ray`;
  }, [screen]);
  const to = (next: Screen) => (): void => go(href(next));
  useKeys("Everywhere", [
    { keys: ["?"], what: "these keys", act: () => setHelp(true) },
    { keys: ["g f"], what: "fleet", act: to("fleet") },
    {
      keys: ["g b"],
      what: "the build looked at last",
      act: () => {
        if (lastBuild) go(href("build", { build: lastBuild }));
      },
    },
    {
      keys: ["g d"],
      what: "decisions of that build",
      act: () => {
        if (lastBuild) go(href("decisions", { build: lastBuild }));
      },
    },
    { keys: ["g n"], what: "anomalies", act: to("anomalies") },
    { keys: ["g a"], what: "alerts", act: to("alerts") },
    { keys: ["g h"], what: "data health", act: to("health") },
    { keys: ["t"], what: "light or dark", act: toggleTheme },
  ]);
  return (
    <>
      <a class="skip" href="#main">
        To the content
      </a>
      <TopBar lastBuild={params["build"] ?? lastBuild} onHelp={() => setHelp(true)} />
      <main id="main" tabIndex={-1}>
        <h1 class="unseen">{screen ? TITLES[screen] : "Not found"}</h1>
        {aboutProblem.value && !about.value && <Trouble problem={aboutProblem.value} />}
        {screen === "fleet" && <FleetScreen params={params} />}
        {screen === "build" && <BuildScreen key={params["build"]} params={params} />}
        {screen === "anomalies" && <AnomaliesScreen params={params} />}
        {screen === "alerts" && <AlertsScreen params={params} />}
        {screen === "decisions" && <DecisionsScreen key={params["build"]} params={params} />}
        {screen === "health" && <HealthScreen params={params} />}
        {screen === null && (
          <Empty title="There is no such page" advice="The bar above leads to those that there are." />
        )}
      </main>
      <Help open={help} onClose={() => setHelp(false)} />
      <TokenDialog />
    </>
  );
}
