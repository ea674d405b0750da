// CPU time of a server: requests per second depend on how many cores it can use, CPU time per request does not.
import { readdirSync, readFileSync } from "node:fs";

/** Linux counts in units of 1/100 s (`USER_HZ`, proc(5)). */
const TICK_MICROS = 10_000;

interface Process {
  pid: number;
  parent: number;
  /** User and system time, its own and that of children that ended. */
  ticks: number;
}

/** Microseconds that the processes and their descendants have used so far; `null` where there is no /proc. */
export function cpuMicros(pids: number[]): number | null {
  const processes = allProcesses();
  if (processes.length === 0) return null;
  const wanted = new Set(pids);
  // A process is younger than its parent, and so is its id, but for a wrap: then go through them once more.
  for (let before = -1; before < wanted.size; ) {
    before = wanted.size;
    for (const { pid, parent } of processes) if (wanted.has(parent)) wanted.add(pid);
  }
  return processes.reduce((sum, { pid, ticks }) => sum + (wanted.has(pid) ? ticks : 0), 0) * TICK_MICROS;
}

/** The processes that this one has started and that still run. */
export function children(): number[] {
  return allProcesses()
    .filter(({ parent }) => parent === process.pid)
    .map(({ pid }) => pid);
}

function allProcesses(): Process[] {
  if (process.platform !== "linux") return [];
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        return [toProcess(Number(name), readFileSync(`/proc/${name}/stat`, "utf8"))];
      } catch {
        // It ended in between.
        return [];
      }
    });
}

/** `pid (name) state ppid …`; the name may hold spaces and parentheses. utime, stime, cutime and cstime are fields 14 to 17. */
function toProcess(pid: number, stat: string): Process {
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const ticks = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
  return { pid, parent: Number(fields[1]), ticks };
}
