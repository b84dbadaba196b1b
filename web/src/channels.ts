/** What a record measures, in the order in which it is shown. */

export const CHANNELS = ["temperature", "pressure", "laser_power", "scan_speed"] as const;
