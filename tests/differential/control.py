# SPDX-License-Identifier: Apache-2.0
"""A daemon's control socket, or a database's, spoken to directly: many requests over one connection."""
import json
import socket


class Control:
    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(120)
        self.socket.connect(path)
        self.decoder = json.JSONDecoder()
        self.received = ""
        self.last_id = 0

    def close(self):
        self.socket.close()

    def call(self, method, *params):
        """The text of the answer; an error's text after "error: "."""
        self.last_id += 1
        self.socket.sendall(json.dumps({"method": method, "params": params, "id": self.last_id}).encode())
        answer = self._receive()
        return f"error: {answer['error']}" if answer.get("error") else answer["result"]

    def _receive(self):
        while True:
            text = self.received.lstrip()
            try:
                answer, end = self.decoder.raw_decode(text)
            except ValueError:
                data = self.socket.recv(1 << 16)
                if not data:
                    raise EOFError("the daemon closed its control socket") from None
                self.received += data.decode()
            else:
                self.received = text[end:]
                if answer.get("method") != "echo":
                    return answer
                self.socket.sendall(json.dumps({"result": answer["params"], "error": None, "id": answer["id"]}).encode())
