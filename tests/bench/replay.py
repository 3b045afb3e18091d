# SPDX-License-Identifier: Apache-2.0
"""What a daemon answered an OpenFlow tool, recorded and played back from memory: the time of the tool alone, with a switch that costs nothing.

A tool counts its transaction ids from the same number in each run, so the answers fit a second run of the same command.
"""
import os
import resource
import socket
import subprocess
import threading

CHUNK = 1 << 20


def receive_message(peer):
    """One OpenFlow message, or b"" at the end of the connection."""
    data = peer.recv(8, socket.MSG_WAITALL)
    if len(data) == 8:
        length = int.from_bytes(data[2:4], "big")
        data += peer.recv(length - 8, socket.MSG_WAITALL) if length > 8 else b""
    return data if len(data) >= 8 else b""


def children_seconds():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


class Replay:
    """Stands between a tool and the service connection PATH; .target is the name of the switch for the tool."""

    def __init__(self, path, folder):
        self.path = path
        self.answers = [[]]                # What came before the tool's first request, after it, after the second ...
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(os.path.join(folder, "replay"))
        self.listener.listen()
        self.target = "unix:" + self.listener.getsockname()
        self.tool_cpu = None               # Seconds, of the last run.

    def close(self):
        self.listener.close()

    def run(self, serve, command):
        server = threading.Thread(target=lambda: serve(self.listener.accept()[0]))
        server.start()
        before = children_seconds()
        subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True, timeout=300)
        self.tool_cpu = children_seconds() - before
        server.join()

    def record(self, *command):
        self.run(self.pass_on, command)

    def play(self, *command):
        self.run(self.answer, command)

    def pass_on(self, tool):
        switch = socket.socket(socket.AF_UNIX)
        switch.connect(self.path)
        back = threading.Thread(target=self.keep, args=(switch, tool))
        back.start()
        while request := receive_message(tool):
            self.answers.append([])
            switch.sendall(request)
        switch.shutdown(socket.SHUT_RDWR)
        back.join()

    def keep(self, switch, tool):
        while data := switch.recv(CHUNK):
            self.answers[-1].append(data)
            tool.sendall(data)

    def answer(self, tool):
        tool.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, CHUNK)
        for answer in self.answers:
            for data in answer:
                tool.sendall(data)
            receive_message(tool)
