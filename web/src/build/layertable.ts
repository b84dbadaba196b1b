/** The layers of a build as columns, and how news of some layers go into them. */

import type { Cell, LayerColumns } from "../api/types";

export class LayerTable {
  readonly rows: number;
  private readonly columns: Record<string, Cell[]>;
  private readonly rowOf: Map<number, number>;

  constructor(columns: Record<string, Cell[]>) {
    this.columns = columns;
    const layers = (columns["layer"] ?? []) as number[];
    this.rows = layers.length;
    this.rowOf = new Map(layers.map((layer, row) => [layer, row]));
  }

  static of(answer: LayerColumns): LayerTable {
    return new LayerTable(answer.columns);
  }

  /** Numbers of the layers, rising. */
  get layers(): number[] {
    return (this.columns["layer"] ?? []) as number[];
  }

  get first(): number | null {
    return this.layers[0] ?? null;
  }

  get last(): number | null {
    return this.layers[this.rows - 1] ?? null;
  }

  has(layer: number): boolean {
    return this.rowOf.has(layer);
  }

  /** The values of a column, a row per layer. */
  numbers(name: string): (number | null)[] {
    return (this.columns[name] ?? []) as (number | null)[];
  }

  texts(name: string): (string | null)[] {
    return (this.columns[name] ?? []) as (string | null)[];
  }

  number(name: string, layer: number): number | null {
    const row = this.rowOf.get(layer);
    const cell = row === undefined ? null : this.columns[name]?.[row];
    return typeof cell === "number" ? cell : null;
  }

  text(name: string, layer: number): string | null {
    const row = this.rowOf.get(layer);
    const cell = row === undefined ? null : this.columns[name]?.[row];
    return typeof cell === "string" ? cell : null;
  }

  /** With other rows for some layers: what is new replaces what is old. */
  merged(news: LayerColumns): LayerTable {
    const fresh = (news.columns["layer"] ?? []) as number[];
    const replaced = new Map(fresh.map((layer, row) => [layer, row]));
    const layers = [...new Set([...this.layers, ...fresh])].toSorted((a, b) => a - b);
    const names = new Set([...Object.keys(this.columns), ...Object.keys(news.columns)]);
    const columns: Record<string, Cell[]> = {};
    for (const name of names) {
      const before = this.columns[name];
      const after = news.columns[name];
      columns[name] = layers.map((layer) => {
        const row = replaced.get(layer);
        if (row !== undefined) return after?.[row] ?? null;
        return before?.[this.rowOf.get(layer) ?? -1] ?? null;
      });
    }
    return new LayerTable(columns);
  }

  /** The layer some steps away, at the ends the first or last. */
  step(layer: number, by: number): number | null {
    const row = this.rowOf.get(layer) ?? this.layers.findIndex((one) => one >= layer);
    const at = Math.min(this.rows - 1, Math.max(0, (row < 0 ? this.rows : row) + by));
    return this.layers[at] ?? null;
  }

  /** The next layer that way that has anomalies; null if there is none. */
  withAnomalies(layer: number, way: 1 | -1): number | null {
    const counts = this.numbers("anomalies");
    const layers = way > 0 ? this.layers : this.layers.toReversed();
    const found = layers.find((one) => {
      const beyond = way > 0 ? one > layer : one < layer;
      return beyond && (counts[this.rowOf.get(one) ?? -1] ?? 0) > 0;
    });
    return found ?? null;
  }
}
