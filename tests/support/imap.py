"""A small IMAP server on the loopback: one folder, the commands that the watcher uses, no patches."""

import re
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Folder(socketserver.ThreadingTCPServer):
    """Holds mails by UID. `silent_after` closes the line before answering that many commands more."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Session)
        self.mails: dict[int, bytes] = {}
        self.seen: set[int] = set()
        self.uid_validity = 7
        self.commands: list[str] = []
        self.silent_at: str | None = None

    @property
    def url(self) -> str:
        return f"imap://invoices:secret@127.0.0.1:{self.server_address[1]}/INBOX"

    def put(self, *contents: bytes) -> None:
        for content in contents:
            self.mails[max(self.mails, default=0) + 1] = content


class _Session(socketserver.StreamRequestHandler):
    server: Folder

    def handle(self) -> None:
        self._say(b"* OK ready")
        for raw in self.rfile:
            tag, _, command = raw.decode("ascii").strip().partition(" ")
            self.server.commands.append(command)
            if self.server.silent_at and command.startswith(self.server.silent_at):
                self.server.silent_at = None
                return
            verb = command.upper()
            if verb.startswith("CAPABILITY"):
                self._say(b"* CAPABILITY IMAP4rev1")
            elif verb.startswith("LOGIN") and '"secret"' not in command:
                self._say(f"{tag} NO wrong password".encode())
                continue
            elif verb.startswith("SELECT"):
                self._say(f"* {len(self.server.mails)} EXISTS".encode())
                self._say(f"* OK [UIDVALIDITY {self.server.uid_validity}] valid".encode())
            elif verb.startswith("UID SEARCH"):
                least = int(re.findall(r"UID (\d+):", command)[0])
                last = max(self.server.mails, default=0)
                found = [uid for uid in self.server.mails if uid >= least or uid == last]
                self._say(("* SEARCH " + " ".join(map(str, found))).strip().encode())
            elif verb.startswith("UID FETCH"):
                self._fetch(int(command.split()[2]), peek="BODY.PEEK[]" in command)
            elif verb.startswith("UID STORE"):
                self.server.seen.add(int(command.split()[2]))
            elif verb.startswith("LOGOUT"):
                self._say(b"* BYE")
            self._say(f"{tag} OK done".encode())

    def _fetch(self, uid: int, *, peek: bool) -> None:
        content = self.server.mails.get(uid)
        if content is None:
            return
        if peek:
            self.wfile.write(f"* {uid} FETCH (UID {uid} BODY[] {{{len(content)}}}\r\n".encode())
            self.wfile.write(content + b")\r\n")
        else:
            self._say(f"* {uid} FETCH (UID {uid} RFC822.SIZE {len(content)})".encode())

    def _say(self, line: bytes) -> None:
        self.wfile.write(line + b"\r\n")


@contextmanager
def imap_folder() -> Iterator[Folder]:
    with Folder() as folder:
        thread = threading.Thread(target=folder.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield folder
        finally:
            folder.shutdown()
            thread.join()
