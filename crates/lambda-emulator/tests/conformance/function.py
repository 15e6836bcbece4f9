#!/usr/bin/env python3
"""A function with a custom runtime of its own, in Python's standard library alone: does what its event asks for."""
import base64
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time

api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])


def call(method, path, body=None, headers={}):
    api.request(method, "/2018-06-01/runtime/" + path, body, headers)
    answer = api.getresponse()
    return answer, answer.read()


def extension(notes):
    """An extension within this process: notes what it registered as and what it hears of the end, and that SIGTERM came."""
    connection = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])

    def ask(method, path, body, headers):
        connection.request(method, "/2020-01-01/extension/" + path, body, headers)
        answer = connection.getresponse()
        with open(notes, "a") as file:
            file.write(answer.read().decode() + "\n")
        return answer.headers.get("Lambda-Extension-Identifier")

    identifier = ask("POST", "register", '{"events": ["SHUTDOWN"]}', {"Lambda-Extension-Name": "in-process"})

    def listen():
        # Python handles a signal in its main thread alone: which has to be the one that it wakes.
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
        ask("GET", "event/next", None, {"Lambda-Extension-Identifier": identifier})

    listening = threading.Thread(target=listen)
    listening.daemon = True  # nobody waits for it if the runtime ends first
    listening.start()

    def end(*_):
        listening.join()
        with open(notes, "a") as file:
            file.write("SIGTERM\n")
        os._exit(0)

    signal.signal(signal.SIGTERM, end)


def ask_peer(port):
    """Asks over a connection that is kept; gives at which try an answer came, each behind the first on a new connection."""
    global peer
    for attempt in (1, 2, 3):
        try:
            peer = peer or socket.create_connection(("127.0.0.1", port))
            peer.sendall(b"?")
            if peer.recv(1):
                return attempt
        except OSError as error:
            print("the connection is lost:", error, flush=True)
        peer = None
    raise ValueError("nobody answers")


def init(mode):
    """What INIT does, as the variable INIT asks for: always, or only the first time that this folder sees it."""
    mode, _, once = mode.partition(",")
    if once and os.path.exists(once):
        time.sleep(float(os.environ.get("SECOND_INIT", "0")))
        return
    if once:
        open(once, "w").close()
    if mode == "error":
        body = json.dumps({"errorType": "Init.Broken", "errorMessage": "no configuration"})
        call("POST", "init/error", body, {"Lambda-Runtime-Function-Error-Type": "Init.Broken"})
        time.sleep(0.05)
        print("the last words", flush=True)
        sys.exit(1)
    if mode == "exit":
        sys.exit(7)
    if mode == "hang":
        time.sleep(60)


def batch(event, context):
    """Notes the records of a batch in FOLDER/notes, then does what the partition's file there has for its next batch."""
    ((partition, records),) = event["records"].items()
    script = os.path.join(os.environ["FOLDER"], partition)
    lines = open(script).read().splitlines() if os.path.exists(script) else []
    open(script, "w").write("\n".join(lines[1:]))
    do = lines[0] if lines else "done"
    offsets = [record["offset"] for record in records]
    values = [base64.b64decode(record["value"]).decode() for record in records]
    with open(os.path.join(os.environ["FOLDER"], "notes"), "a") as notes:
        notes.write(json.dumps([partition, offsets, values, do]) + "\n")
    if do == "dead letter":
        with open(os.path.join(os.environ["FOLDER"], "dead letters"), "a") as letters:
            letters.write(f"{partition}@{offsets[0]}\n")
        do = "done"
    if do.startswith("from "):
        return {"batchItemFailures": [{"itemIdentifier": {"partition": partition, "offset": offsets[0] + int(do[5:])}}]}
    if do == "gate":
        open(os.path.join(os.environ["FOLDER"], "gate"), "a").write("+")
        while not os.path.exists(os.path.join(os.environ["FOLDER"], "open")):
            time.sleep(0.005)
        do = "done"
    if do in ("slow", "hang"):
        time.sleep(0.3 if do == "slow" else 60)
        do = "done"
    return perform({"do": do}, context)


def perform(event, context):
    do = event.get("do", "echo")
    if do == "echo":
        return event
    if do == "done":
        return None
    if do == "error":
        raise ValueError(event.get("text", "asked for"))
    if do == "exit":
        os._exit(3)
    if do == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if do == "sleep":
        time.sleep(event["seconds"])
        return "slept"
    if do == "environment":
        return {name: value for name, value in os.environ.items()}
    if do == "context":
        return {name.lower(): value for name, value in context.items()}
    if do == "pid":
        return os.getpid()
    if do == "print":
        print(event["text"])
        sys.stdout.write("x" * event.get("bytes", 0) + "\n")
        sys.stdout.flush()
        return "printed"
    if do == "ask":
        return ask_peer(event["port"])
    if do == "fork":
        # Deaf to SIGHUP, which the system sends to a stopped group whose parent has gone.
        return subprocess.Popen(["sleep", "600"], preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)).pid
    if do == "eat":
        eaten = bytearray(event["mib"] << 20)
        time.sleep(5)
        return len(eaten)
    if do == "large":
        return "x" * event["bytes"]
    raise ValueError("unknown: " + do)


peer = None
if "EXTENSION" in os.environ:
    extension(os.environ["EXTENSION"])
init(os.environ.get("INIT", ""))
while True:
    answer, body = call("GET", "invocation/next")
    request_id = answer.headers["Lambda-Runtime-Aws-Request-Id"]
    event = json.loads(body)
    if event.get("do") == "forget":
        continue
    if event.get("do") == "stream":
        # Half of a streamed response, and behind it that it has failed.
        error = base64.b64encode(json.dumps({"errorType": "Half", "errorMessage": event["text"]}).encode())
        api.putrequest("POST", f"/2018-06-01/runtime/invocation/{request_id}/response")
        api.putheader("Lambda-Runtime-Function-Response-Mode", "streaming")
        api.putheader("Transfer-Encoding", "chunked")
        api.putheader("Trailer", "Lambda-Runtime-Function-Error-Type")
        api.endheaders(b"4\r\nhalf\r\n0\r\nLambda-Runtime-Function-Error-Type: Half\r\nLambda-Runtime-Function-Error-Body: " + error + b"\r\n\r\n")
        api.getresponse().read()
        continue
    try:
        result = batch(event, answer.headers) if "records" in event else perform(event, answer.headers)
        answer, _ = call("POST", f"invocation/{request_id}/response", json.dumps(result))
        if event.get("do") == "echo" and event.get("twice"):
            answer, _ = call("POST", f"invocation/{request_id}/response", '"again"')
            print("the second answer:", answer.status, flush=True)
        if event.get("then") == "hang":
            time.sleep(60)
    except ValueError as error:
        body = json.dumps({"errorType": "ValueError", "errorMessage": str(error), "stackTrace": []})
        call("POST", f"invocation/{request_id}/error", body, {"Lambda-Runtime-Function-Error-Type": "ValueError"})
