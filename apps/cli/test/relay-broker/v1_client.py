"""A small client of the line protocol, as other programs have one: asyncio, its default line limit, one reader."""

import asyncio
import json
import sys


class Client:
    def __init__(self, process):
        self.process = process
        self.answers = {}
        self.events = []
        self.changed = asyncio.Event()
        self.last_id = 0
        self.reader = asyncio.create_task(self.read())

    async def read(self):
        # A line of more than 64 KiB raises here, and nothing is ever read again.
        while line := await self.process.stdout.readline():
            frame = json.loads(line)
            assert frame["v"] == 1, frame
            if frame["type"] == "event":
                self.events.append(frame["payload"])
            else:
                self.answers[frame["request_id"]] = frame
            self.changed.set()

    async def until(self, find):
        async with asyncio.timeout(30):
            while (found := find()) is None:
                self.changed.clear()
                await self.changed.wait()
        return found

    async def ask(self, kind, payload):
        self.last_id += 1
        request = f"req_{self.last_id}"
        frame = {"v": 1, "type": kind, "request_id": request, "payload": payload}
        self.process.stdin.write(json.dumps(frame).encode() + b"\n")
        answer = await self.until(lambda: self.answers.get(request))
        expected = "hello_ack" if kind == "hello" else "ok"
        assert answer["type"] == expected, answer
        return answer["payload"]

    async def event(self, kind, **fields):
        return await self.until(lambda: matching(self.events, kind, fields))


def matching(events, kind, fields):
    for event in events:
        if event["kind"] == kind and all(event.get(k) == v for k, v in fields.items()):
            return event
    return None


async def main(binary, directory):
    process = await asyncio.create_subprocess_exec(
        *binary,
        "init",
        "--name",
        "python",
        "--channels",
        "general",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        cwd=directory,
    )
    client = Client(process)
    hello = await client.ask("hello", {"client_name": "py", "client_version": "0"})
    assert hello["protocol_version"] == 1, hello
    agent = {"name": "Py", "runtime": "pty", "cli": "bash", "args": ["./loop.sh"], "cwd": directory}
    await client.ask("spawn_agent", {"agent": agent, "initial_task": None})
    await client.event("worker_ready", name="Py")
    sent = await client.ask("send_message", {"to": "Py", "text": "x" * 200_000, "from": None})
    event_id = sent["result"]["event_id"]
    await client.event("relay_inbound", event_id=event_id)
    await client.event("delivery_injected", event_id=event_id)
    await client.ask("release_agent", {"name": "Py"})
    await client.event("agent_released", name="Py")
    await client.ask("shutdown", {})
    async with asyncio.timeout(5):
        assert await process.wait() == 0
    assert not client.reader.cancelled() and client.reader.done()
    print("\n".join(event["kind"] for event in client.events))


asyncio.run(main(json.loads(sys.argv[1]), sys.argv[2]))
