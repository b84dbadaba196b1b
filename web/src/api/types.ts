/** What the API of pbf_ray answers (docs/http.md); fields that the page does not use are left out. */

export type Severity = "critical" | "warning" | "info";
export type WorstSeverity = Severity | "none";
export type Phase = "active" | "silent" | "settled" | "quiet";
export type Disposition = "accept" | "hold" | "scrap" | "rework";
export type BySeverity = Record<Severity, number>;

export interface Rule {
  channel: string;
  op: string;
  threshold: number;
  unit: string;
  anomaly_type: string;
  severity: Severity;
}

export interface About {
  version: string;
  job_id: string;
  fields: { name: string; unit: string }[];
  profile: { name: string; rules: Rule[] };
  build_files: boolean;
  caller: { name: string; scopes: string[]; token: boolean };
  limits: { max_points: number };
}

export interface Machine {
  machine_id: string;
  sensors: string[];
  build_id: string | null;
  phase: Phase | null;
  layer: number | null;
  planned_layers: number | null;
  layers_closed: number;
  /** Event time, s since 1970. */
  last_timestamp: number | null;
  quality_score: number | null;
  severity: WorstSeverity;
  anomalies: number;
  open_alerts: BySeverity;
}

export interface Build {
  build_id: string;
  machine_ids: string[];
  first_layer: number | null;
  last_layer: number | null;
  layers_closed: number;
  layers_open: number;
  planned_layers: number | null;
  records: number;
  first_timestamp: number | null;
  last_timestamp: number | null;
  quality_score_mean: number | null;
  quality_score_min: number | null;
  anomalies: number;
  anomalies_by_severity: BySeverity;
  phase: Phase | null;
  build_file: boolean;
  open_alerts: BySeverity;
  disposition: Decision | null;
}

export type Cell = number | string | null;

export interface LayerColumns {
  build_id: string;
  rows: number;
  columns: Record<string, Cell[]>;
}

export interface Finding {
  alert_id: string;
  anomaly_type: string;
  severity: Severity;
  count: number;
  channel: string | null;
  first_timestamp: number | null;
  last_timestamp: number | null;
  sensors: string[];
  text: string;
}

export interface LayerDetail {
  build_id: string;
  layer: number;
  state: "open" | "closed";
  anomalies_by_type: Record<string, number>;
  findings: Finding[];
  plan: Record<string, number | null> | null;
}

export interface Limit {
  op: string;
  threshold: number;
  anomaly_type: string;
  severity: Severity;
}

export interface Series {
  field: string;
  unit: string;
  rows: number;
  downsampled: boolean;
  timestamp: number[];
  value: (number | null)[];
  layer: (number | null)[];
  limits: Limit[];
}

export interface SeriesAnswer {
  rows: number;
  series: Series[];
}

export interface Page<T> {
  items: T[];
  next_cursor: string | null;
  total?: number;
}

export interface StoredRecord {
  record_key: string;
  build_id: string | null;
  layer: number | null;
  sensor_id: string | null;
  machine_id: string | null;
  timestamp: number | null;
  temperature: number | null;
  pressure: number | null;
  laser_power: number | null;
  scan_speed: number | null;
  topic: string;
  partition: number;
  offset: number;
}

export interface Anomaly extends StoredRecord {
  anomaly_type: string;
  severity: Severity;
  late: boolean;
}

export interface LateRecord extends StoredRecord {
  watermark: number | null;
}

export interface DeadLetter {
  record_key: string;
  topic: string;
  partition: number;
  offset: number;
  reason: string;
  detail: string;
  kafka_timestamp: string | null;
  processing_timestamp: string;
  value_text: string | null;
  value_bytes: number | null;
}

export interface DeadLetterPage extends Page<DeadLetter> {
  reasons: Record<string, number>;
}

export interface Alert {
  alert_id: string;
  build_id: string;
  layer: number;
  anomaly_type: string;
  severity: Severity;
  count: number;
  first_timestamp: number | null;
  last_timestamp: number | null;
  sensors: string[];
  machine_ids: string[];
  text: string;
  acknowledged: { by: string; at: string; comment: string | null; count: number } | null;
}

export interface AlertPage extends Page<Alert> {
  open: BySeverity;
}

export interface Decision {
  decision_id: number;
  build_id: string;
  part: string | null;
  disposition: Disposition;
  reason: string;
  by: string;
  at: string;
}

export interface Decisions {
  items: Decision[];
  current: Decision[];
}

export interface Pipeline {
  job_id: string;
  verdict: string;
  healthy: boolean;
  explanation: string;
  heartbeat_at: string | null;
  state: string;
  run: number;
  epoch: number;
  lag: number | null;
  records_per_s: number | null;
  books: Record<string, number>;
  restarts: number;
  state_bytes: number | null;
  watermark_delay_s: number | null;
  partitions: {
    topic: string;
    partition: number;
    position: number | null;
    end: number | null;
    lag: number | null;
  }[];
  builds: { build_id: string; watermark: number | null; delay_s: number | null; phase: string }[];
  stages: Record<string, { total_s: number; recent_s: number }>;
  waits: Record<string, { count: number; total_s: number }>;
  error: Record<string, unknown> | null;
  sources: {
    sensor_id: string;
    machine_id: string | null;
    build_id: string | null;
    last_timestamp: number | null;
  }[];
}

/** Data of `event: status`. */
export interface LiveStatus {
  verdict: string;
  state: string;
  epoch: number;
  lag: number | null;
  records_per_s: number | null;
  healthy: boolean;
  heartbeat_at: string | null;
}

/** Data of `event: epoch`. */
export interface EpochEvent {
  epoch: number;
  builds: { build_id: string; layers: number[] }[];
  anomalies: number;
  new_anomalies: number;
  dead_letters: number;
  late_records: number;
}
