/** The figures of a layer against their limits and against what it is compared with. */

import { CHANNELS } from "../channels";
import { channelDigits, channelName, fixed, signed, unitSign } from "../format";
import { Severity } from "../parts/severity";
import { Sparkline } from "../parts/sparkline";
import { about } from "../state/about";
import type { LayerTable } from "./layertable";
import { keeps } from "./limits";

interface Props {
  table: LayerTable;
  layer: number;
  compared: { table: LayerTable; layer: number; name: string } | null;
}

const AROUND = 40;

export function Indicators({ table, layer, compared }: Props) {
  const rules = about.value?.profile.rules ?? [];
  const unitOf = (name: string): string =>
    about.value?.fields.find((field) => field.name === name)?.unit ?? "";
  const near = table.layers.filter((one) => Math.abs(one - layer) <= AROUND);
  const row = (name: string, column: string) => {
    const digits = channelDigits(name);
    const value = table.number(column, layer);
    const then = compared?.table.number(column, compared.layer) ?? null;
    const mine = rules.filter((rule) => rule.channel === name);
    const low = table.number(`${name}_min`, layer);
    const high = table.number(`${name}_max`, layer);
    const broken = mine.filter((rule) => keeps(rule, low, high) === false);
    return (
      <tr key={name}>
        <th scope="row">
          {channelName(name)} <span class="muted unit">{unitSign(unitOf(name))}</span>
        </th>
        <td class="num strong">{fixed(value, digits)}</td>
        <td class="num">{column === "quality_score" ? "" : fixed(table.number(`${name}_std`, layer), digits)}</td>
        <td class="num">{column === "quality_score" ? "" : fixed(low, digits)}</td>
        <td class="num">{column === "quality_score" ? "" : fixed(high, digits)}</td>
        {compared && (
          <td class="num muted">{value !== null && then !== null ? signed(value - then, digits) : ""}</td>
        )}
        <td class="limits">
          {mine.map((rule) => (
            <span key={`${rule.op}${rule.threshold}`} class={broken.includes(rule) ? "broken" : "kept"}>
              {broken.includes(rule) && <Severity of={rule.severity} word={false} />} {rule.op} {rule.threshold}
            </span>
          ))}
        </td>
        <td class="spark-cell">
          <Sparkline values={near.map((one) => table.number(column, one))} mark={near.indexOf(layer)} />
        </td>
      </tr>
    );
  };
  return (
    <div class="scroll-x">
      <table class="indicators">
        <thead>
          <tr>
            <th scope="col">Indicator</th>
            <th scope="col" class="num">mean</th>
            <th scope="col" class="num">std</th>
            <th scope="col" class="num">min</th>
            <th scope="col" class="num">max</th>
            {compared && (
              <th scope="col" class="num" title={`against ${compared.name}`}>
                Δ mean
              </th>
            )}
            <th scope="col">alarm if</th>
            <th scope="col">±{AROUND} layers</th>
          </tr>
        </thead>
        <tbody>
          {row("quality_score", "quality_score")}
          {CHANNELS.map((name) => row(name, `${name}_avg`))}
        </tbody>
      </table>
    </div>
  );
}
