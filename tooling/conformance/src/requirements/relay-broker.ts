import { rows } from "../requirement.ts";

/** The acceptance cases of the relay that are about its old line protocol. */
export const relayBroker = rows("relay", {
  "broker.case-1": "hello is answered with versions and no key",
  "broker.case-5": "exits, restarts and deaths are told with their codes and signals",
  "broker.case-6": "an answer comes before what its request brought about; kinds keep their order",
  "broker.case-7": "a duplicate name is refused at once; a released one is free again",
  "broker.case-10": "one event id goes through queued, injected, ack and verified, each once",
  "broker.case-12": "a message to nobody is refused; an empty channel has no targets",
  "broker.case-13": "who sends is an agent, a person or the system; what can't be is refused",
  "broker.case-23": "what is sent to an agent that starts waits for it",
  "broker.case-29": "input, model, list, status, metrics, insights and preflight have v1's shapes",
  "broker.case-31": "it ends by shutdown, by the end of its input, and by a signal",
  "broker.case-44":
    "wrong version, type, payload or line is answered, with the id where there is one",
  "broker.case-46": "a client of another language drives it with its own defaults",
  "broker.case-47": "no line is longer than the strictest client can read",
  "broker.case-48": "its parent is killed: it and every agent are gone",
  "broker.case-49": "what can't be started is refused, and nothing is left listed",
  "broker.case-51": "nothing is told as verified without evidence",
  "broker.case-52": "names that are paths, addresses or reserved are refused",
  "broker.case-57": "a release while a message waits is told once as failed and dropped",
  "broker.case-60": "pipelined requests are each answered exactly once",
  "broker.spawn": "each field of an agent's specification is carried out or refused",
  "broker.arguments": "the old command line is taken, an unknown argument ends it with 2",
  "broker.end-to-end": "an agent in a VM works on its host directory at the same path",
});
