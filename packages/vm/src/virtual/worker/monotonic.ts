/** Milliseconds of a clock that only goes on. Taken once: the interpreter blocks the global while a script runs. */
export const monotonic: () => number = performance.now.bind(performance);
