"""What the window does about later launches: it listens, and follows what they say."""

from __future__ import annotations

import os
import socket as sockets
import struct
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Final

from PySide6.QtCore import QObject, QTimer
from PySide6.QtNetwork import QLocalServer, QLocalSocket

from inspector.desktop.messages import MOST_BYTES, OPENED, REFUSED, Message, decode
from inspector.desktop.single_instance import Meeting

#: Launches that are listened to at a time. A launch that says what it wants takes a millisecond of
#: that, so the one that has taken longest makes room for another, and tries again if it is one.
MOST_CLIENTS: Final = 16

#: Milliseconds from the first word of a launch to the last.
READ_WITHIN: Final = 2000

#: Messages that are remembered, so that none is followed twice.
_REMEMBERED: Final = 256

#: What Linux tells of the process at the other end: its number, user and group.
_CREDENTIALS: Final = struct.Struct("3i")


class Listener(QObject):
    """Listens for later launches of the same user, until it is closed.

    On the GUI thread; no step of it takes longer than to read a message of 1 MiB.

    Parameters
    ----------
    meeting
        Where to listen. Its lock is released when the listener is closed, or if it can't listen.
    follow
        Does what a message says. Called once for each.
    parent
        Qt's owner.
    """

    def __init__(
        self,
        meeting: Meeting,
        follow: Callable[[Message], None],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._lock = meeting.lock
        self._follow = follow
        # Both in the order of coming, which sets don't have.
        self._clients: dict[QLocalSocket, None] = {}
        self._followed: dict[str, None] = {}
        self._server = QLocalServer(self)
        self._server.setSocketOptions(QLocalServer.SocketOption.UserAccessOption)
        self._server.newConnection.connect(self._admit)
        if not self._server.listen(meeting.server):
            self.close()

    @property
    def is_listening(self) -> bool:
        """Whether later launches can reach it."""
        return self._server.isListening()

    @property
    def clients(self) -> int:
        """How many launches are listened to just now."""
        return len(self._clients)

    def close(self) -> None:
        """Hang up, and let the next launch be the one that listens.

        Whoever has not been answered finds that out, and opens its files itself.
        """
        self._server.close()
        for client in tuple(self._clients):
            client.abort()
        self._lock.release()

    def _admit(self) -> None:
        # Qt has read nothing yet of what they say: no connection is left waiting.
        while self._server.hasPendingConnections():
            client = self._server.nextPendingConnection()
            if not _is_same_user(client):
                client.abort()
                client.deleteLater()
                continue
            if len(self._clients) == MOST_CLIENTS:
                next(iter(self._clients)).abort()
            self._clients[client] = None
            client.readyRead.connect(partial(self._read, client))
            client.disconnected.connect(partial(self._forget, client))
            QTimer.singleShot(READ_WITHIN, client, client.abort)

    def _forget(self, client: QLocalSocket) -> None:
        del self._clients[client]
        client.deleteLater()

    def _read(self, client: QLocalSocket) -> None:
        if client.state() != QLocalSocket.LocalSocketState.ConnectedState:
            return
        if client.canReadLine():
            client.write(self._answer(bytes(client.readLine(MOST_BYTES + 2).data())))
            # At once: without an answer, a launch may yet open the files itself.
            client.flush()
            client.disconnectFromServer()
        elif client.bytesAvailable() > MOST_BYTES:
            client.abort()

    def _answer(self, line: bytes) -> bytes:
        message = decode(line)
        if message is None:
            return REFUSED
        if message.number not in self._followed:
            if time.monotonic() > message.until:
                return REFUSED
            self._follow(message)
            self._followed[message.number] = None
            if len(self._followed) > _REMEMBERED:
                del self._followed[next(iter(self._followed))]
        return OPENED


def _is_same_user(client: QLocalSocket) -> bool:
    """Whether the process at the other end is this user's. The socket's mode says so too."""
    if sys.platform == "linux":
        try:
            with sockets.socket(fileno=os.dup(int(client.socketDescriptor()))) as other:
                found = other.getsockopt(sockets.SOL_SOCKET, sockets.SO_PEERCRED, _CREDENTIALS.size)
        except OSError:  # it has hung up
            return False
        return bool(_CREDENTIALS.unpack(found)[1] == os.geteuid())
    else:
        return True
