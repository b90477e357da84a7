// What JavaScript makes of JSON documents: an oracle for the canonical text, written from its definition.
// Reads one document per line and prints one canonical text per line, or "error".
import { createInterface } from "node:readline";

// Half of a surrogate pair is no character: PostgreSQL does not store it and we refuse it.
function wellFormed(text) {
  if (!text.isWellFormed()) throw new Error("lone surrogate");
  return JSON.stringify(text);
}

function canonical(value) {
  if (typeof value === "string") return wellFormed(value);
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  if (Array.isArray(value)) return "[" + value.map(canonical).join(",") + "]";
  const names = Object.keys(value).sort(); // by UTF-16 code units
  return "{" + names.map((name) => wellFormed(name) + ":" + canonical(value[name])).join(",") + "}";
}

const lines = [];
for await (const line of createInterface({ input: process.stdin })) {
  let text = "error";
  try {
    text = canonical(JSON.parse(line));
  } catch {
    // Not every line need be JSON.
  }
  lines.push(text);
  if (lines.length === 1000) process.stdout.write(lines.splice(0).join("\n") + "\n");
}
if (lines.length > 0) process.stdout.write(lines.join("\n") + "\n");
