#!/usr/bin/env python3
"""Reads a ledger of a run folder and prints one JSON object per row.

    read_ledger.py RUN_FOLDER LEDGER_FILE

The format is described in run-folder.md. Intended times are not in the file: they are computed here from plan.yaml, by the same
integer arithmetic as the program that sent them. A torn last chunk is cut; damage before it is an error.
"""
import json
import struct
import sys

MASK = (1 << 64) - 1
FATES = ["acked", "refused", "unknown", "dropped", "pending"]


def crc32c(data, crc=0, table=[]):
    if not table:
        for n in range(256):
            for _ in range(8):
                n = n >> 1 ^ (0x82F63B78 if n & 1 else 0)
            table.append(n)
    crc ^= 0xFFFFFFFF
    for byte in data:
        crc = table[(crc ^ byte) & 0xFF] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


# The schedule.

def mix(word):
    z = (word + 0x9E3779B97F4A7C15) & MASK
    z = ((z ^ z >> 30) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ z >> 27) * 0x94D049BB133111EB) & MASK
    return z ^ z >> 31


def then(state, number):
    return mix(state ^ mix(number))


def named(state, name):
    value = 0xCBF29CE484222325
    for byte in name.encode():
        value = ((value ^ byte) * 0x100000001B3) & MASK
    return then(state, value)


def below(state, bound, purpose, index):
    return then(then(state, purpose), index) * bound >> 64


def micros(duration):
    return duration["secs"] * 1_000_000 + duration["nanos"] // 1000


class Warp:
    """A fleet's load: nominal time is the integral of its rate, and readings are due by nominal time."""
    NOMINAL, LATEST = 1_000_000, 10_000_000_000_000

    def __init__(self, load):
        pieces = [(0, self.NOMINAL, self.NOMINAL)]
        for piece in load:
            piece = piece["at"], piece["from"], piece["to"]
            if piece[0] == 0 == pieces[-1][0]:
                pieces[-1] = piece
            elif pieces[-1][0] < piece[0] <= self.LATEST:
                pieces.append(piece)
        self.knots, done = [], 0
        for i, (at, begin, end) in enumerate(pieces):
            lasts = pieces[i + 1][0] - at if i + 1 < len(pieces) else None
            # Twice the integral, in millionths of a microsecond.
            self.knots.append((at, done, begin, end, lasts))
            done += (begin + end) * (lasts or 0)

    def nominal(self, t):
        if t < 0:
            return t
        at, done, begin, end, lasts = [knot for knot in self.knots if knot[0] <= t][-1]
        x = t - at
        bend = (end - begin) * x * x // lasts if lasts else 0
        return (done + 2 * begin * x + bend) // (2 * self.NOMINAL)

    def real(self, nominal):
        """The first microsecond at which so much nominal time has passed."""
        wanted = 2 * self.NOMINAL * nominal
        before = [knot for knot in self.knots if knot[1] < wanted]
        if not before:
            return 0
        at, done, begin, end, lasts = before[-1]
        if lasts is None or begin == end:
            return at - (done - wanted) // (2 * begin)
        low, high = 0, lasts
        while high - low > 1:
            x = (low + high) // 2
            if 2 * begin * lasts * x + (end - begin) * x * x >= (wanted - done) * lasts:
                high = x
            else:
                low = x
        return at + high


class Series:
    """The readings of one stream of one asset."""

    def __init__(self, stream, state, warp, stop):
        self.state, self.warp, self.stop = state, warp, stop
        self.every = max(1, micros(stream["every"]))
        self.phase = below(state, self.every, 1, 0) if stream["phase"] == "random" else 0
        self.jitter = min(micros(stream["jitter"]), self.every // 2)

    def at(self, seq):
        return self.warp.real(self.nominal(seq))

    def nominal(self, seq):
        shift = below(self.state, 2 * self.jitter + 1, 2, seq) - self.jitter
        return max(0, self.phase + seq * self.every + shift)

    def before(self, t):
        t = self.warp.nominal(min(t, self.stop) - 1) + 1
        count = max(0, max(0, t - self.phase) // self.every - 1)
        while self.nominal(count) < t:
            count += 1
        return count


class Schedule:
    def __init__(self, plan):
        last = plan["phases"][-1]
        end = last["end"]
        self.stop = micros(last["start"] if "quiesced" in end else end["at"])
        root = mix(plan["seed"])
        self.fleets = [
            (named(root, name), Warp(fleet.get("load", [])), fleet) for name, fleet in plan["fleets"].items()
        ]
        self.known = {}

    def series(self, asset, stream):
        key = asset, stream
        if key not in self.known:
            self.known[key] = self.find(asset, stream)
        return self.known[key]

    def find(self, asset, stream):
        for state, warp, fleet in self.fleets:
            number = asset - fleet["first"]
            if 0 <= number < fleet["assets"] and stream < len(fleet["streams"]):
                spec = fleet["streams"][stream]
                return Series(spec, then(named(state, spec["name"]), number), warp, self.stop)
        return None


# The file.

class Body:
    def __init__(self, data):
        self.data, self.at = data, 0

    def byte(self):
        self.at += 1
        return self.data[self.at - 1]

    def number(self):
        value = shift = 0
        while True:
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    def signed(self):
        value = self.number()
        return value >> 1 ^ -(value & 1)


def chunks(data):
    if data[:4] != b"WDLG"[: len(data)] or (len(data) > 4 and data[4] != 1):
        sys.exit("not a ledger of version 1")
    at = 8
    while at + 24 <= len(data):
        length, rows, until, crc, header = struct.unpack_from("<IIqII", data, at)
        if crc32c(data[at:at + 20]) != header:
            sys.exit("the checksum of a chunk's header does not hold")
        body = data[at + 24:at + 24 + length]
        if len(body) < length:
            return
        if crc32c(body) != crc:
            sys.exit("the checksum of a chunk does not hold")
        yield rows, until, Body(body)
        at += 24 + length


def identity(schedule, body, asset, stream, boot, until):
    series = schedule.series(asset, stream)
    seq = body.signed() + (series.before(until) if series else 0) & MASK
    return {"asset": asset, "stream": stream, "boot": boot, "seq": seq}, series.at(seq) if series else 0


def readings(schedule, data):
    for rows, until, body in chunks(data):
        asset = position = 0
        for _ in range(rows):
            asset = asset + body.number() & 0xFFFFFFFF
            flags, odd = body.byte(), body.number()
            boot = body.number() if odd & 2 else 1
            who, ready = identity(schedule, body, asset, odd >> 2, boot, until)
            if flags & 16:
                ready += body.signed()
            sent, last = [], ready
            for _ in range(body.number() if odd & 1 else 1):
                last += body.signed()
                sent.append({"sent": last})
            acked = last + body.signed() if flags & 32 else None
            if flags & 64:
                position = position + body.signed() & MASK
            yield {
                "identity": who, "ready": ready, "attempts": sent, "fate": FATES[flags & 7], "acked": acked,
                "position": position if flags & 64 else None, "by": body.number() if flags & 128 else None,
                "stored": bool(flags & 8),
            }


def sightings(schedule, data):
    for rows, until, body in chunks(data):
        asset = position = 0
        for _ in range(rows):
            asset = asset + body.number() & 0xFFFFFFFF
            odd = body.number()
            boot = body.number() if odd & 4 else 1
            who, intended = identity(schedule, body, asset, odd >> 3, boot, until)
            at = intended + body.signed()
            if odd & 1:
                position = position + body.signed() & MASK
            yield {"identity": who, "at": at, "position": position if odd & 1 else None, "intact": bool(odd & 2)}


def main():
    folder, path = sys.argv[1:]
    with open(f"{folder}/plan.yaml") as file:
        schedule = Schedule(json.load(file))
    with open(path, "rb") as file:
        data = file.read()
    for row in (readings if data[5:6] == b"\x01" else sightings)(schedule, data):
        print(json.dumps(row))


if __name__ == "__main__":
    main()
