/** Server-sent events from a stream of text, as the HTML standard parses them. */

export interface ServerEvent {
  event: string;
  data: string;
  id: string | null;
}

/** Feed it pieces of text as they come; it gives the events that are whole. */
export class EventReader {
  private rest = "";
  private event = "";
  private data: string[] = [];
  private id: string | null = null;

  feed(piece: string): ServerEvent[] {
    const whole: ServerEvent[] = [];
    const text = this.rest + piece;
    // A CR at the end may be the first half of CR LF.
    const held = text.endsWith("\r") ? text.length - 1 : text.length;
    const lines = text.slice(0, held).split(/\r\n|\n|\r/);
    this.rest = (lines.pop() ?? "") + text.slice(held);
    for (const line of lines) {
      if (line === "") {
        if (this.data.length > 0) {
          whole.push({ event: this.event || "message", data: this.data.join("\n"), id: this.id });
        }
        this.event = "";
        this.data = [];
        continue;
      }
      const colon = line.indexOf(":");
      if (colon === 0) continue;
      const name = colon < 0 ? line : line.slice(0, colon);
      const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
      if (name === "event") this.event = value;
      else if (name === "data") this.data.push(value);
      else if (name === "id" && !value.includes("\0")) this.id = value;
    }
    return whole;
  }
}
