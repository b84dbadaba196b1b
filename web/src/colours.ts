/** Colours that all eyes tell apart: viridis for amounts, Okabe and Ito's for kinds. */

export type Rgb = readonly [number, number, number];

/** Viridis (matplotlib, CC0), every sixteenth. */
const VIRIDIS: readonly Rgb[] = [
  [68, 1, 84], [72, 26, 108], [71, 47, 125], [65, 68, 135], [57, 86, 140], [49, 104, 142],
  [42, 120, 142], [35, 136, 142], [31, 152, 139], [34, 168, 132], [53, 183, 121], [84, 197, 104],
  [122, 209, 81], [165, 219, 54], [210, 226, 27], [253, 231, 37],
];

/** Okabe and Ito's palette, without black and yellow, which vanish in one theme or the other. */
export const KIND_COLOURS: readonly Rgb[] = [
  [86, 180, 233], [230, 159, 0], [0, 158, 115], [204, 121, 167], [213, 94, 0], [0, 114, 178],
];

/** Darker where the ground is light. */
const KIND_COLOURS_LIGHT: readonly Rgb[] = [
  [0, 114, 178], [190, 110, 0], [0, 125, 92], [176, 84, 136], [190, 70, 0], [46, 140, 200],
];

export function kindColour(index: number, dark: boolean): Rgb {
  const palette = dark ? KIND_COLOURS : KIND_COLOURS_LIGHT;
  return palette[index % palette.length] ?? [128, 128, 128];
}

/** The colour of a share in 0..1; its ends stay visible on the theme's ground. */
export function viridis(share: number, dark: boolean): Rgb {
  const [low, high] = dark ? [0.16, 1] : [0, 0.86];
  const place = (low + (high - low) * Math.min(1, Math.max(0, share))) * (VIRIDIS.length - 1);
  const index = Math.min(Math.floor(place), VIRIDIS.length - 2);
  const from = VIRIDIS[index] ?? [0, 0, 0];
  const to = VIRIDIS[index + 1] ?? from;
  const part = place - index;
  return [
    Math.round(from[0] + (to[0] - from[0]) * part),
    Math.round(from[1] + (to[1] - from[1]) * part),
    Math.round(from[2] + (to[2] - from[2]) * part),
  ];
}

export const css = (colour: Rgb): string => `rgb(${colour[0]} ${colour[1]} ${colour[2]})`;

/** As a pixel of canvas image data, on machines of either byte order alike. */
export function pixel(colour: Rgb): number {
  const bytes = new Uint8Array([colour[0], colour[1], colour[2], 255]);
  return new Uint32Array(bytes.buffer)[0] ?? 0;
}

export const SEVERITY_RANK = { none: 0, info: 1, warning: 2, critical: 3 } as const;

const SEVERITY_COLOURS: Record<"light" | "dark", Record<string, Rgb>> = {
  light: { critical: [196, 67, 0], warning: [222, 148, 0], info: [64, 148, 204], none: [205, 211, 216] },
  dark: { critical: [240, 110, 35], warning: [236, 178, 60], info: [86, 160, 214], none: [52, 60, 67] },
};

export function severityColour(severity: string, dark: boolean): Rgb {
  const colours = SEVERITY_COLOURS[dark ? "dark" : "light"];
  return colours[severity] ?? colours["none"] ?? [128, 128, 128];
}

/** The worse of two severities. */
export function worse(a: string, b: string): string {
  const rank = (name: string): number => SEVERITY_RANK[name as keyof typeof SEVERITY_RANK] ?? 0;
  return rank(b) > rank(a) ? b : a;
}
