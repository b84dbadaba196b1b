/** Numbers, units and times as people read them. */

const UNITS: Record<string, string> = {
  degC: "°C",
  "bar absolute": "bar",
  um: "µm",
  mm2: "mm²",
  "J/mm2": "J/mm²",
  "J/mm3": "J/mm³",
  deg: "°",
  "1": "",
};

const CHANNEL_NAMES: Record<string, string> = {
  temperature: "Temperature",
  pressure: "Pressure",
  laser_power: "Laser power",
  scan_speed: "Scan speed",
  quality_score: "Quality",
};

const DIGITS: Record<string, number> = {
  temperature: 1,
  pressure: 3,
  laser_power: 1,
  scan_speed: 3,
  quality_score: 3,
};

export const NOTHING = "–";

/** The sign of a unit that the API names. */
export const unitSign = (unit: string): string => UNITS[unit] ?? unit;

export const channelName = (field: string): string => CHANNEL_NAMES[field] ?? words(field);

/** Decimals that a channel's values are shown with. */
export const channelDigits = (field: string): number => DIGITS[field] ?? 2;

/** `low_laser_power` as `low laser power`. */
export const words = (name: string): string => name.replaceAll("_", " ").toLowerCase();

const grouped = new Map<number, Intl.NumberFormat>();

/** A number with fixed decimals and thin groups of digits; a dash for what is not known. */
export function fixed(value: number | null | undefined, digits = 0): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return NOTHING;
  let form = grouped.get(digits);
  if (!form) {
    form = new Intl.NumberFormat("en-GB", {
      minimumFractionDigits: digits,
      maximumFractionDigits: digits,
    });
    grouped.set(digits, form);
  }
  // No minus before what is shown as zero.
  return form.format(value).replace(/^-(?=[0.]*$)/, "").replaceAll(",", "\u202f").replace("-", "−");
}

/** With its sign: `+1.2`, `−0.4`, `0.0`. */
export function signed(value: number | null | undefined, digits: number): string {
  const text = fixed(value, digits);
  return value !== null && value !== undefined && value > 0 && /[1-9]/.test(text) ? `+${text}` : text;
}

/** A number with its unit. */
export function quantity(value: number | null | undefined, unit: string, digits = 1): string {
  const text = fixed(value, digits);
  const sign = unitSign(unit);
  return text === NOTHING || !sign ? text : `${text}\u202f${sign}`;
}

/** Bytes in steps of 1024. */
export function bytes(value: number | null | undefined): string {
  if (value === null || value === undefined) return NOTHING;
  const steps = ["B", "KiB", "MiB", "GiB", "TiB"];
  let step = 0;
  let rest = value;
  while (rest >= 1024 && step < steps.length - 1) {
    rest /= 1024;
    step += 1;
  }
  return `${fixed(rest, step > 0 && rest < 100 ? 1 : 0)}\u202f${steps[step]}`;
}

/** A duration, in its two largest units at most. */
export function duration(seconds: number | null | undefined): string {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) return NOTHING;
  const whole = Math.max(0, seconds);
  if (whole < 10) return `${fixed(whole, 1)} s`;
  if (whole < 60) return `${Math.floor(whole)} s`;
  const minutes = Math.floor(whole / 60);
  const rest = Math.floor(whole % 60);
  if (minutes < 60) return `${minutes} min${minutes < 10 && rest > 0 ? ` ${rest} s` : ""}`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return `${hours} h ${minutes % 60} min`;
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/** How long ago, without flicker below a second. */
export function age(timestamp: number | null | undefined, nowS: number): string {
  if (timestamp === null || timestamp === undefined) return NOTHING;
  const seconds = nowS - timestamp;
  if (seconds < 1) return seconds < -5 ? `${duration(-seconds)} ahead` : "now";
  return `${duration(Math.floor(seconds)).replace(/\.0 s$/, " s")} ago`;
}

const two = (value: number): string => String(value).padStart(2, "0");

/** Local time of day; with the date where it is not today's. */
export function clock(timestamp: number | null | undefined, nowS: number, decimals = 0): string {
  if (timestamp === null || timestamp === undefined) return NOTHING;
  const at = new Date(timestamp * 1000);
  const day = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  const now = new Date(nowS * 1000);
  const today = `${now.getFullYear()}-${two(now.getMonth() + 1)}-${two(now.getDate())}`;
  const time = `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
  const part = decimals > 0 ? `.${String(at.getMilliseconds()).padStart(3, "0").slice(0, decimals)}` : "";
  return (day === today ? "" : `${day} `) + time + part;
}

/** ISO 8601 text as s since 1970. */
export function instant(text: string | null | undefined): number | null {
  if (!text) return null;
  const milliseconds = Date.parse(text);
  return Number.isNaN(milliseconds) ? null : milliseconds / 1000;
}

/** `1 layer`, `2 layers`. */
export function count(value: number, one: string, many = `${one}s`): string {
  return `${fixed(value)} ${value === 1 ? one : many}`;
}
