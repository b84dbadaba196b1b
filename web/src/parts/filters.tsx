/** Filters of a list, in the address: what is shown can be sent to somebody. */

import type { ComponentChildren } from "preact";
import { route, setParams } from "../state/router";

interface FieldProps {
  name: string;
  title: string;
  kind?: "text" | "number" | "datetime";
  width?: string;
}

const TYPES = {
  text: { type: "text" },
  number: { type: "number", min: 0 },
  datetime: { type: "datetime-local", step: 1 },
} as const;

const set = (name: string, value: string | null): void =>
  setParams({ [name]: value || null, cursor: null });

const two = (value: number): string => String(value).padStart(2, "0");

/** Seconds since 1970 as the text of a `datetime-local` field, in local time. */
export function localText(seconds: string | undefined): string {
  const value = Number(seconds);
  if (!seconds || !Number.isFinite(value)) return "";
  const at = new Date(value * 1000);
  const day = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  return `${day}T${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
}

/** The other way; empty for what is no time. */
export function secondsOf(text: string): string {
  const milliseconds = new Date(text).getTime();
  return Number.isNaN(milliseconds) ? "" : String(milliseconds / 1000);
}

export function FilterField({ name, title, kind = "text", width }: FieldProps) {
  const value = route.value.params[name];
  return (
    <label class="field">
      <span>{title}</span>
      <input
        {...TYPES[kind]}
        value={kind === "datetime" ? localText(value) : (value ?? "")}
        style={width ? { width } : {}}
        onChange={(event) => {
          const text = event.currentTarget.value.trim();
          set(name, kind === "datetime" ? secondsOf(text) : text);
        }}
      />
    </label>
  );
}

interface ChoiceProps {
  name: string;
  title: string;
  choices: readonly string[];
  all?: string;
}

export function FilterChoice({ name, title, choices, all = "all" }: ChoiceProps) {
  const value = route.value.params[name] ?? "";
  const listed = value && !choices.includes(value) ? [value, ...choices] : choices;
  return (
    <label class="field">
      <span>{title}</span>
      <select value={value} onChange={(event) => set(name, event.currentTarget.value)}>
        <option value="">{all}</option>
        {listed.map((choice) => (
          <option key={choice} value={choice}>
            {choice.replaceAll("_", " ")}
          </option>
        ))}
      </select>
    </label>
  );
}

/** A row of filters, with a way to take all of them away. */
export function Filters({ names, children }: { names: string[]; children: ComponentChildren }) {
  const active = names.filter((name) => route.value.params[name]);
  const none = Object.fromEntries([...names, "cursor"].map((name) => [name, null]));
  return (
    <form class="filters" aria-label="Filters" onSubmit={(event) => event.preventDefault()}>
      {children}
      <button type="button" disabled={active.length === 0} onClick={() => setParams(none, "push")}>
        Clear
      </button>
    </form>
  );
}
