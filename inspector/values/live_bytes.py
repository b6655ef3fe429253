"""The bytes of tensors that belong to the running program, as sources and storages."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from inspector.checkpoints.errors import TensorError
from inspector.checkpoints.model import Storage
from inspector.checkpoints.sources import check_range
from inspector.values.arrays import Array
from inspector.values.transfer import Transfer, current_streams, mover_of

if TYPE_CHECKING:
    import torch

#: Bytes that are copied in one go with the GIL held: no thread of Python can free or resize a
#: storage in the middle, and none waits for longer than a tenth of a millisecond.
_PIECE: Final = 1 << 20


class LiveBytes:
    """Bytes that the running program may change at any time. A `ByteSource`.

    Attributes
    ----------
    origin
        What reading them does, in words.
    """

    origin: str

    def __init__(self, size: int, origin: str) -> None:
        self._size: Final = size
        self.origin = origin

    @property
    def size(self) -> int:
        """Its bytes when it was listed."""
        return self._size

    def read(self, offset: int, length: int) -> bytes:
        """Exactly ``length`` bytes; see `ByteSource`."""
        check_range("a storage", self._size, offset, length)
        buffer = bytearray(length)
        self.read_into(offset, memoryview(buffer))
        return bytes(buffer)

    def read_into(self, offset: int, buffer: memoryview) -> None:
        """Fill ``buffer``; see `ByteSource`."""
        raise NotImplementedError

    def close(self) -> None:
        """Let go of the memory."""
        raise NotImplementedError


class HostBytes(LiveBytes):
    """Bytes in the processor's memory.

    Parameters
    ----------
    look
        All of them as they are at the moment: a read-only uint8 array of one axis, which keeps the
        memory alive. Asked for at each read, since storages may be resized.
    """

    def __init__(self, look: Callable[[], Array], size: int) -> None:
        super().__init__(size, "copied from memory")
        self._look: Callable[[], Array] | None = look

    def read_into(self, offset: int, buffer: memoryview) -> None:
        """Fill ``buffer``; see `ByteSource`."""
        check_range("a storage", self._size, offset, len(buffer))
        for start in range(0, len(buffer), _PIECE):
            piece = buffer[start : start + _PIECE]
            piece[:] = self.view(offset + start, len(piece)).data

    def view(self, offset: int, length: int) -> Array:
        """The bytes themselves, not a copy: uint8, of one axis, read-only.

        Raises
        ------
        TensorError
            If they are not there any more.
        """
        look = self._look
        if look is None:
            raise _closed()
        part: Array = look()[offset : offset + length]
        if len(part) != length:
            raise _shrunk()
        return part

    def close(self) -> None:
        """Let go of the memory."""
        self._look = None


class DeviceBytes(LiveBytes):
    """Bytes in a device's memory."""

    def __init__(self, storage: torch.UntypedStorage, transfer: Transfer) -> None:
        super().__init__(storage.nbytes(), f"moved from {transfer.name} to the CPU")
        self._storage: torch.UntypedStorage | None = storage
        self._transfer: Final = transfer

    def read_into(self, offset: int, buffer: memoryview) -> None:
        """Fill ``buffer``; see `ByteSource`."""
        check_range("a storage", self._size, offset, len(buffer))
        storage = self._storage
        if storage is None:
            raise _closed()
        if storage.nbytes() < offset + len(buffer):
            raise _shrunk()
        self._transfer.copy(storage, offset, buffer)

    def close(self) -> None:
        """Let go of the memory."""
        self._storage = None


def _closed() -> TensorError:
    return TensorError("The tensor is not held any more: its listing was closed.")


def _shrunk() -> TensorError:
    return TensorError(
        "The tensor's storage was freed or made smaller since it was listed.",
        advice="Look at it again (F5 in the window) when it is there.",
    )


class Devices:
    """How bytes come from each device: one pair of staging buffers for all of its tensors.

    To be made in the thread whose computations are to be seen.
    """

    def __init__(self) -> None:
        self._transfers: dict[torch.device, Transfer] = {}
        self._streams: Final = current_streams()

    def transfer(self, device: torch.device) -> Transfer:
        """What fetches from a device."""
        found = self._transfers.get(device)
        if found is None:
            found = self._transfers[device] = Transfer(
                mover_of(device, self._streams.get(str(device)))
            )
        return found


class LiveStorages:
    """The storages of one listing: each run of memory is one, whoever looks at it."""

    def __init__(self, devices: Devices) -> None:
        self._devices: Final = devices
        self._known: Final[dict[tuple[str, int, int, str], Storage]] = {}

    @property
    def sources(self) -> tuple[LiveBytes, ...]:
        """What has to be closed."""
        sources = (storage.source for storage in self._known.values())
        return tuple(source for source in sources if isinstance(source, LiveBytes))

    @property
    def nbytes(self) -> int:
        """Bytes of all of them."""
        return sum(storage.nbytes for storage in self._known.values())

    def of_torch(self, storage: torch.UntypedStorage) -> Storage:
        """A tensor's storage."""
        device, address, nbytes = storage.device, storage.data_ptr(), storage.nbytes()

        def make() -> LiveBytes:
            if device.type == "cpu":
                return HostBytes(lambda: _storage_memory(storage), nbytes)
            return DeviceBytes(storage, self._devices.transfer(device))

        # Storages without bytes have no address; they are not one for that.
        place = address or -storage._cdata
        return self._storage(str(device), place, nbytes, sys.byteorder, make)

    def of_array(self, array: Array, byteorder: Literal["little", "big"]) -> tuple[Storage, int]:
        """The memory that an array of NumPy looks into, and the byte in it where it begins.

        It is the memory of the array of which it is a view, so that other views share it.
        """
        if not array.size:
            storage = self._storage("cpu", -id(array), 0, byteorder, lambda: _nothing(array))
            return storage, 0
        root = array
        while isinstance(root.base, np.ndarray):
            root = root.base
        here = array.__array_interface__["data"][0]
        for owner in (root, array):
            low, high = np.lib.array_utils.byte_bounds(owner)
            # A view may have been made to look beyond what it is a view of.
            inside = low <= here and np.lib.array_utils.byte_bounds(array)[1] <= high
            if inside and (here - low) % array.itemsize == 0:
                break
        memory = _memory(owner, low, high - low)
        storage = self._storage(
            "cpu", low, high - low, byteorder, lambda: HostBytes(lambda: memory, high - low)
        )
        return storage, here - low

    def _storage(
        self,
        device: str,
        address: int,
        nbytes: int,
        byteorder: Literal["little", "big"],
        make: Callable[[], LiveBytes],
    ) -> Storage:
        key = (device, address, nbytes, byteorder)
        found = self._known.get(key)
        if found is None:
            label = f"at {address:#x}" if address > 0 else "without memory"
            source = make()
            found = Storage(source, 0, nbytes, label, byteorder, source.origin)
            self._known[key] = found
        return found


def _nothing(owner: object) -> HostBytes:
    return HostBytes(lambda: _memory(owner, 0, 0), 0)


def _storage_memory(storage: torch.UntypedStorage) -> Array:
    return _memory(storage, storage.data_ptr(), storage.nbytes())


class _Memory:
    """A run of the processor's memory as NumPy understands it, with what keeps it alive."""

    def __init__(self, owner: object, address: int, size: int) -> None:
        self.owner: Final = owner
        self.__array_interface__: Final = {
            "version": 3,
            "data": (address, True),
            "shape": (size,),
            "typestr": "|u1",
        }


def _memory(owner: object, address: int, size: int) -> Array:
    return np.asarray(_Memory(owner, address, size)) if size else np.empty(0, np.uint8)
