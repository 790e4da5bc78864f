import { rows } from "../requirement.ts";

/** The acceptance cases of the relay that are about its old line protocol. */
export const relayBroker = rows("relay", {
  "broker.case-1": "hello is answered with versions and no key; nothing runs on after the end",
  "broker.case-2": "a spawned agent is listed with its pid, a released one is not",
  "broker.case-3": "the count follows every spawn and release",
  "broker.case-4": "an unknown agent can't be released",
  "broker.case-5": "exits, restarts and deaths are told with their codes and signals",
  "broker.case-6": "an answer comes before what its request brought about; kinds keep their order",
  "broker.case-7":
    "a duplicate name is refused at once and the first works on; a released one is free again",
  "broker.case-8": "agents start side by side, and one comes and goes quickly",
  "broker.case-9": "a name is free again after an exit",
  "broker.case-10":
    "one event id goes through queued, injected, ack and verified, each once, with its fields",
  "broker.case-11": "no message is told or delivered twice",
  "broker.case-12": "a message to nobody is refused; an empty channel has no targets",
  "broker.case-13": "who sends is an agent, a person or the system; what can't be is refused",
  "broker.case-14": "a thread stays as it was given",
  "broker.case-15": "what is urgent comes before what waits",
  "broker.case-16": "a channel's messages reach its members, and not their sender",
  "broker.case-17": "a broadcast reaches every other agent",
  "broker.case-18": "text of any characters and length comes as it is",
  "broker.case-19": "a burst arrives whole and in order",
  "broker.case-20": "messages of several agents do not mix",
  "broker.case-21": "who waits for an ack gets one after its answer; after a failure none comes",
  "broker.case-22": "the states of each event id only go on, to one end",
  "broker.case-23":
    "what is sent to an agent that starts waits for it; its first task comes once, and first",
  "broker.case-24": "idle is told once for each silence",
  "broker.case-25":
    "who waits for idle or exit is told: silence, an end by itself, or a release; 0 is never idle",
  "broker.case-26": "restarts follow the policy, field by field, and end with a release",
  "broker.case-27": "a crash has its category and code, and lowers the score",
  "broker.case-28": "metrics of an unknown agent are an error; the status has what waits",
  "broker.case-29":
    "input is read by the program; model, list, status, metrics, insights and preflight have v1's shapes",
  "broker.case-30":
    "what a released agent leaves is a file, told to who goes on from it, and written again",
  "broker.case-31":
    "it ends by shutdown, by the end of its input, and by a signal; one has a directory",
  "broker.case-32": "why it could not start is the last line on stderr",
  "broker.case-33":
    "each event has its kind and its agent's name, so that buffers can be asked; a seq and a time",
  "broker.case-34": "a spawn or release is answered once; one that does not start answers nothing",
  "broker.case-35": "output is told as the one's that said it, and before its end",
  "broker.case-36": "a log has what its agent said and grows; no name leads out of its folder",
  "broker.case-44":
    "wrong version, type, payload or line is answered, with the id where there is one",
  "broker.case-45": "a killed broker leaves what waits to the next one",
  "broker.case-46": "a client of another language drives it with its own defaults",
  "broker.case-47": "no line is longer than the strictest client can read",
  "broker.case-48": "its parent is killed: it and every agent are gone",
  "broker.case-49": "what can't be started is refused, and nothing is left listed",
  "broker.case-50": "a headless agent is answered once its provider is there",
  "broker.case-51": "nothing is told as verified without evidence",
  "broker.case-52": "names that are paths, addresses or reserved are refused",
  "broker.case-53": "it works without a network",
  "broker.case-54": "restarts wait twice as long each time, and end once",
  "broker.case-55": "a shadow gets copies, never itself, and hears of the end",
  "broker.case-56":
    "ten agents get a hundred messages each once, the urgent one first, without a retry",
  "broker.case-57":
    "a release while a message is on its way is told as one of delivered or dropped",
  "broker.case-58": "a model is switched with evidence, or it is an error",
  "broker.case-59": "stdout has frames alone, at every level of logs",
  "broker.case-60": "pipelined requests are each answered exactly once",
  "broker.presets":
    "each program that is known is called with its arguments and model, and becomes ready",
  "broker.retry": "a second try of a delivery is told, and counted in the status",
  "broker.spawn": "each field of an agent's specification is carried out or refused",
  "broker.copy": "with --copy agents work on a copy; a driver that can't be had is refused",
  "broker.arguments": "the old command line is taken, an unknown argument ends it with 2",
  "broker.end-to-end": "an agent in a VM works on its host directory at the same path",
});
