import type { Clock } from "@agentos/core";

const NANOSECONDS_PER_MS = 1e6;
/** The longest delay that `setTimeout` takes; a longer one fires at once. */
const MAX_TIMER_MS = 2_147_483_647;

/** The machine's monotonic clock: the same in every process until the next boot. Its timers never keep the process alive. */
export class SystemClock implements Clock {
  now(): number {
    return Number(process.hrtime.bigint()) / NANOSECONDS_PER_MS;
  }

  after(ms: number, callback: () => void): () => void {
    let leftMs = Math.max(0, ms);
    let timer: NodeJS.Timeout;
    const arm = (): void => {
      const stepMs = Math.min(leftMs, MAX_TIMER_MS);
      leftMs -= stepMs;
      timer = setTimeout(() => (leftMs > 0 ? arm() : callback()), stepMs);
      timer.unref();
    };
    arm();
    return () => clearTimeout(timer);
  }
}
