#!/usr/bin/env python3
"""Writes wire_smpclient.json: what a third-party SMP client and a simulated board say to each other, byte by byte.

    npm run build
    pip install smpclient==5.1.0 smp==3.3.2
    python3 spec/vectors/record_smp.py            # in the repository's root; 10 s. Needs pseudo-terminals (not Windows)

The client counts its requests from 0 and the simulator is deterministic: a second run writes the same exchanges.
docs/interop.md tells what the session shows, host/test/third_party_wire.test.ts replays it.
"""
import asyncio
import json
import subprocess
from datetime import date
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import smpclient.transport.serial as serial_transport
from smp.header import Version
from smpclient import SMPClient
from smpclient.exceptions import SMPUploadError
from smpclient.requests.enumeration_management import CountSupportedGroups, GroupDetails, GroupId, ListSupportedGroups
from smpclient.requests.image_management import ImageErase, ImageStatesRead, ImageStatesWrite
from smpclient.requests.os_management import BootloaderInformationRead, EchoWrite, OSApplicationInfoRead, ResetWrite
from smpclient.requests.settings_management import ReadSetting

VECTORS = Path(__file__).parent
BOARD = "rp2040-pico"
HEADER_FIELDS = {"header", "version", "sequence", "smp_data"}


class TappedSerial(serial_transport.Serial):
    """The port, which keeps a copy of what went through."""

    sent = received = b""

    def write(self, data):
        TappedSerial.sent += data
        return super().write(data)

    def read_all(self):
        data = super().read_all()
        TappedSerial.received += data
        return data


class Recorder(SMPClient):
    """The client as it is, with a note of each exchange."""

    exchanges = []

    async def request(self, request, timeout_s=120.0):
        TappedSerial.sent = TappedSerial.received = b""
        try:
            answer = await super().request(request, timeout_s)
            read_as = in_words(answer)
        except TypeError:  # what 5.1.0 raises for an answer that fits none of its classes
            answer, read_as = None, "not understood"
        to_device, from_device = (data.decode("ascii") for data in (TappedSerial.sent, TappedSerial.received))
        what = in_words(request)
        self.exchanges.append(dict(what=what, read_as=read_as, to_device=to_device, from_device=from_device))
        return answer

    async def send_image(self, image, stop_at=None, **options):
        """Uploads; what the device refuses stays a note."""
        try:
            async for off in self.upload(image, **options):
                if stop_at is not None and off >= stop_at:
                    break
        except SMPUploadError:
            pass


def in_words(message):
    """ImageUploadWrite off=0 len=45272"""
    fields = message.model_dump(exclude=HEADER_FIELDS | {"data"}, exclude_none=True)
    short = {key: value.hex()[:8] if isinstance(value, bytes) else value for key, value in fields.items()}
    v1 = ["version 1"] if message.version == Version.V1 else []
    return " ".join([type(message).__name__, *v1, *(f"{key}={value}" for key, value in short.items())])


async def session(port, model, second):
    small_frames = serial_transport.SMPSerialTransport()
    async with Recorder(small_frames, port) as client:
        for request in [
            EchoWrite(d="hello"),
            EchoWrite(d="Größe 5 µm, " * 9),
            EchoWrite(d="hello", version=Version.V1),
            OSApplicationInfoRead(),
            *(CountSupportedGroups(), ListSupportedGroups(), GroupId(), GroupId(index=3), GroupDetails()),
            *(BootloaderInformationRead(), ReadSetting(name="x")),  # a command and a group the device does not have
            ImageStatesRead(),
        ]:
            await client.request(request)
        await client.send_image(model)  # to image 0, the firmware
        await client.send_image(model, slot=1)
        await client.send_image(model, slot=1)  # the device has it
        await client.send_image(bytes(len(model)), slot=1, use_sha=False)
        this, other = (ImageStatesWrite(hash=sha256(image).digest()) for image in (model, second))
        for request in [other, this, ResetWrite(), ImageStatesRead()]:  # a test ends with a reset
            await client.request(request)
        for request in [this, ImageStatesWrite(confirm=True), ResetWrite(), ImageStatesRead()]:
            await client.request(request)
        await client.send_image(second, slot=None, stop_at=9000)
        await client.request(ResetWrite())

    large_frames = serial_transport.SMPSerialTransport(max_smp_encoded_frame_size=1536, line_buffers=12)
    async with Recorder(large_frames, port) as client:
        await client.send_image(second, slot=None)  # goes on where it stood
        for request in [
            *(ImageStatesRead(), other, ImageErase(slot=1), ResetWrite()),  # refused: the slot is under test
            *(ImageErase(slot=1), ImageErase(slot=0), ImageStatesRead()),
        ]:
            await client.request(request)
        no_model = b"not a model. " * 20
        await client.send_image(no_model, slot=1)
        await client.request(ImageStatesWrite(hash=sha256(no_model).digest()))
        await client.request(EchoWrite(d="x" * 1000))


def installed(package):
    try:
        return version(package)
    except PackageNotFoundError:  # run from its sources
        return {"smpclient": "5.1.0", "smp": "3.3.2"}[package]


def main():
    serial_transport.Serial = TappedSerial
    images = [VECTORS / name for name in ("llama.trit", "relu2.trit")]
    command = ["node", "dist/cli.js", "sim", "--board", BOARD, "--port", "pty", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as board:
        try:
            port = json.loads(board.stdout.readline())["port"]
            asyncio.run(session(port, *(image.read_bytes() for image in images)))
        finally:
            board.terminate()
    head = {
        "what": "exchanges of smpclient (SMPClient, SMPSerialTransport, console framing) with a blank board",
        "fields": "to_device, from_device: each character is a byte; read_as: what the client took the answer for",
        "client": {"smpclient": installed("smpclient"), "smp": installed("smp")},
        "license": "the client is Apache-2.0; these are bytes that it exchanged, nothing of its sources",
        "board": BOARD,
        "images": {image.name: sha256(image.read_bytes()).hexdigest() for image in images},
        "date": date.today().isoformat(),
    }
    lines = ",\n".join(json.dumps(exchange) for exchange in Recorder.exchanges)
    text = f'{{"head": {json.dumps(head, indent=1)},\n"exchanges": [\n{lines}\n]}}\n'
    (VECTORS / "wire_smpclient.json").write_text(text)
    print(f"{len(Recorder.exchanges)} exchanges, {len(text)} bytes")


if __name__ == "__main__":
    main()
