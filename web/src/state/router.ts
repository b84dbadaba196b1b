/** Where the page is: a screen and its parameters, both in the address. */

import { signal } from "@preact/signals";

export const SCREENS = ["fleet", "build", "anomalies", "alerts", "decisions", "health"] as const;
export type Screen = (typeof SCREENS)[number];
export type Params = Record<string, string>;

export interface Route {
  /** Null: the address is none of the page's. */
  screen: Screen | null;
  params: Params;
}

/** The route that an address stands for. Ids stand in the query, for they may hold anything. */
export function parseRoute(path: string, query: string): Route {
  const name = path.replace(/^\/+|\/+$/g, "") || "fleet";
  const screen = SCREENS.find((one) => one === name) ?? null;
  return { screen, params: Object.fromEntries(new URLSearchParams(query)) };
}

/** The address of a screen; parameters that are empty or null are left out. */
export function href(
  screen: Screen,
  params: Record<string, string | number | null | undefined> = {},
): string {
  const told = new URLSearchParams();
  for (const [name, value] of Object.entries(params)) {
    if (value !== null && value !== undefined && value !== "") told.set(name, String(value));
  }
  const query = told.toString();
  return (screen === "fleet" ? "/" : `/${screen}`) + (query ? `?${query}` : "");
}

const here = (): Route => parseRoute(location.pathname, location.search);

export const route = signal<Route>(
  typeof location === "undefined" ? { screen: "fleet", params: {} } : here(),
);

// Browsers refuse an address that changes many times a second, as while layers are scrubbed.
const WRITE_AFTER_MS = 250;
let unwritten: string | null = null;
let writing: ReturnType<typeof setTimeout> | undefined;

function write(): void {
  clearTimeout(writing);
  writing = undefined;
  if (unwritten !== null) history.replaceState(null, "", unwritten);
  unwritten = null;
}

export function go(address: string, how: "push" | "replace" = "push"): void {
  if (address === (unwritten ?? location.pathname + location.search)) return;
  if (how === "push") {
    write();
    history.pushState(null, "", address);
  } else {
    unwritten = address;
    writing ??= setTimeout(write, WRITE_AFTER_MS);
  }
  const [path, query] = address.split(/\?(.*)/s);
  route.value = parseRoute(path ?? "", query ?? "");
}

/** Change some parameters of the present screen; null takes one away. */
export function setParams(
  changed: Record<string, string | number | null>,
  how: "push" | "replace" = "replace",
): void {
  const { screen, params } = route.peek();
  if (screen) go(href(screen, { ...params, ...changed }), how);
}

/** Follow the address, and let links within the page change it without loading. */
export function followAddress(): void {
  addEventListener("popstate", () => {
    clearTimeout(writing);
    writing = undefined;
    unwritten = null;
    route.value = here();
  });
  document.addEventListener("click", (event) => {
    if (event.defaultPrevented || event.button !== 0) return;
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    const link = (event.target as Element | null)?.closest("a[href]");
    const address = link?.getAttribute("href");
    if (!address?.startsWith("/") || address.startsWith("/api/") || link?.hasAttribute("target")) return;
    event.preventDefault();
    go(address);
    scrollTo(0, 0);
  });
}
