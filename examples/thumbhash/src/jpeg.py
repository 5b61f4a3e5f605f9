"""An eighth of a JPEG's size, which is all that a placeholder needs.

A JPEG stores every block of 8 by 8 samples as frequencies, and the first of them is eight times the block's mean (ITU-T T.81,
A.3.3). So only the means are computed. In a progressive JPEG they come first, and the rest is skipped.
"""

import re
from dataclasses import dataclass, field

from picture import Picture

# The most blocks of a file, which bounds the time: a megapixel without colours, two thirds of it with colours at half the size.
MOST_BLOCKS = 16_384

BASELINE, EXTENDED, PROGRESSIVE = 0xC0, 0xC1, 0xC2


class Unsupported(Exception):
    """A JPEG of a kind that is not read here."""


class Corrupt(Exception):
    """The bytes break the rules of JPEG."""


@dataclass
class Component:
    """One channel of the picture."""

    across: int  # Samples for every `Frame.across` pixels of a row.
    down: int
    table: int  # The number of its quantization table.
    means: list = field(default_factory=list)  # One for every block, quantized, row by row.
    columns: int = 0  # Blocks in a row of `means`.


@dataclass
class Frame:
    """What the frame's header says (B.2.2)."""

    width: int
    height: int
    progressive: bool
    components: dict  # By their identifiers.

    @property
    def across(self):
        return max(component.across for component in self.components.values())

    @property
    def down(self):
        return max(component.down for component in self.components.values())


def eighth(data):
    """The picture at an eighth of its size. Raises Unsupported or Corrupt."""
    if data[:2] != b"\xff\xd8":
        raise Corrupt("it does not begin as a JPEG")
    frame, quantization, huffman, restart, plain_rgb, scanned = None, {}, {}, 0, False, False
    for marker, segment, at in segments(data):
        if marker == 0xDB:
            read_quantization(segment, quantization)
        elif marker == 0xC4:
            read_huffman(segment, huffman)
        elif marker == 0xDD and len(segment) >= 2:
            restart = int.from_bytes(segment[:2], "big")
        elif marker == 0xEE and segment[:5] == b"Adobe" and len(segment) >= 12:
            plain_rgb = segment[11] == 0
        elif marker in (BASELINE, EXTENDED, PROGRESSIVE):
            if frame is not None:
                raise Corrupt("it has two frames")
            frame = read_frame(segment, marker == PROGRESSIVE)
        elif 0xC0 <= marker <= 0xCF and marker != 0xC8:
            raise Unsupported("it is lossless, hierarchical or arithmetically coded")
        elif marker == 0xDA:
            if frame is None:
                raise Corrupt("it has a scan before its frame")
            scanned |= read_scan(segment, data[at : end_of_scan(data, at)], frame, huffman, restart)
    if frame is None or not scanned:
        raise Corrupt("it has no picture")
    return painted(frame, quantization, plain_rgb)


def segments(data):
    """Every marker with its segment, and where that ends (B.1.1.4). Entropy-coded bytes are passed over."""
    at = 2
    while True:
        at = data.find(b"\xff", at)
        if at < 0 or at + 4 > len(data):
            return
        marker = data[at + 1]
        if marker == 0xD9:
            return
        if marker in (0x00, 0x01, 0xFF) or 0xD0 <= marker <= 0xD8:
            at += 1 if marker == 0xFF else 2
            continue
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        end = at + 2 + length
        if length < 2 or end > len(data):
            raise Corrupt(f"the segment at {at} is longer than the file")
        yield marker, data[at + 4 : end], end
        at = end


def end_of_scan(data, at):
    """Where the entropy-coded bytes that begin at `at` end: at a marker that is no restart."""
    found = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]").search(data, at)
    return found.start() if found else len(data)


def read_quantization(segment, tables):
    at = 0
    while at < len(segment):
        wide, number = segment[at] >> 4, segment[at] & 15
        first = segment[at + 1 : at + 2 + (wide > 0)]
        if not any(first):
            raise Corrupt("a quantization table begins with 0")
        tables[number] = int.from_bytes(first, "big")
        at += 1 + 64 * (2 if wide else 1)


def read_huffman(segment, tables):
    """Tables for all 16 bits that may follow: the length of a code and its symbol; a length of 0 for what is none (C.2)."""
    at = 0
    while at + 17 <= len(segment):
        number, counts = segment[at], segment[at + 1 : at + 17]
        symbols = segment[at + 17 : at + 17 + sum(counts)]
        if len(symbols) < sum(counts):
            raise Corrupt("a Huffman table is cut")
        table, symbol = [], iter(symbols)
        for length, count in enumerate(counts, 1):
            # Before the table grows, so that its size does not depend on what a file claims.
            if len(table) + (count << (16 - length)) > 1 << 16:
                raise Corrupt("a Huffman table has too many codes")
            for _ in range(count):
                table += [(length, next(symbol))] * (1 << (16 - length))
        tables[number] = table + [(0, 0)] * ((1 << 16) - len(table))
        at += 17 + len(symbols)


def read_frame(segment, progressive):
    if len(segment) < 6 or len(segment) < 6 + 3 * segment[5]:
        raise Corrupt("the frame is cut")
    precision, height, width, count = segment[0], int.from_bytes(segment[1:3], "big"), int.from_bytes(segment[3:5], "big"), segment[5]
    if precision != 8 or count not in (1, 3):
        raise Unsupported(f"it has {count} channels of {precision} bits")
    components = {}
    for at in range(6, 6 + 3 * count, 3):
        number, sampling, table = segment[at : at + 3]
        components[number] = Component(sampling >> 4, sampling & 15, table)
    frame = Frame(width, height, progressive, components)
    if len(components) < count or not all(1 <= c.across <= 4 and 1 <= c.down <= 4 for c in components.values()):
        raise Corrupt("its channels make no sense")
    if not width or not height:
        raise Unsupported("its size is not in its header")
    units = -(-width // (8 * frame.across)), -(-height // (8 * frame.down))
    blocks = units[0] * units[1] * sum(c.across * c.down for c in components.values())
    if blocks > MOST_BLOCKS:
        raise Unsupported(f"it has {width} by {height} pixels, which takes too long here")
    for component in components.values():
        component.columns = units[0] * component.across
        component.means = [0] * (component.columns * units[1] * component.down)
    return frame


def read_scan(header, coded, frame, huffman, restart):
    """Decodes a scan, if it has means. Returns whether it had."""
    count = header[0] if header else 0
    if not 1 <= count <= 3 or len(header) < 4 + 2 * count:
        raise Corrupt("the header of a scan is cut")
    first, approximation = header[1 + 2 * count], header[3 + 2 * count]
    if frame.progressive and first > 0:
        return False
    refines, shift = frame.progressive and approximation >> 4 > 0, approximation & 15 if frame.progressive else 0
    plan = []
    for at in range(1, 1 + 2 * count, 2):
        component = frame.components.get(header[at])
        direct, other = huffman.get(header[at + 1] >> 4), huffman.get(0x10 | header[at + 1] & 15)
        if component is None or (direct is None and not refines) or (other is None and not frame.progressive):
            raise Corrupt("a scan uses a table or a channel that is not there")
        plan.append((component, direct, other))
    units = places(frame, [component for component, _, _ in plan])
    parts = re.split(rb"\xff+[\xd0-\xd7]", coded) if restart else [coded]
    size = restart or len(units)
    for index in range(0, len(units), size):
        if index // size >= len(parts):
            raise Corrupt("a scan is cut")
        bits, before = Bits(parts[index // size]), [0] * len(plan)
        for unit in units[index : index + size]:
            for number, place in unit:
                component, direct, other = plan[number]
                if refines:
                    component.means[place] |= bits.take(1) << shift
                    continue
                before[number] += bits.signed(bits.symbol(direct))
                component.means[place] = before[number] << shift
                if not frame.progressive:
                    skip_block(bits, other)
    return True


def places(frame, components):
    """For every unit of a scan, its blocks in their order: the number of the component and the block's place (A.2)."""
    if len(components) == 1:
        # Alone, a channel has no blocks that only fill up a unit.
        (component,) = components
        columns = -(-(-(-frame.width * component.across // frame.across)) // 8)
        rows = -(-(-(-frame.height * component.down // frame.down)) // 8)
        return [[(0, y * component.columns + x)] for y in range(rows) for x in range(columns)]
    columns, rows = -(-frame.width // (8 * frame.across)), -(-frame.height // (8 * frame.down))
    return [
        [
            (number, (row * component.down + y) * component.columns + column * component.across + x)
            for number, component in enumerate(components)
            for y in range(component.down)
            for x in range(component.across)
        ]
        for row in range(rows)
        for column in range(columns)
    ]


def skip_block(bits, table):
    """Passes over the 63 other frequencies of a block (F.1.2.2)."""
    at = 1
    while at < 64:
        symbol = bits.symbol(table)
        run, size = symbol >> 4, symbol & 15
        if size:
            bits.take(size)
            at += run + 1
        elif run == 15:
            at += 16
        else:
            return


class Bits:
    """Entropy-coded bytes, bit by bit."""

    def __init__(self, coded):
        self.data = coded.replace(b"\xff\x00", b"\xff")
        self.at = self.held = self.count = 0

    def fill(self):
        piece = self.data[self.at : self.at + 6]
        self.at += 6
        if not piece:
            # A code at the end is looked up with the bits behind it. Beyond those, the file is cut.
            if self.at > len(self.data) + 12:
                raise Corrupt("a scan is cut")
            piece = b"\xff" * 6
        self.held = (self.held & ((1 << self.count) - 1)) << (8 * len(piece)) | int.from_bytes(piece, "big")
        self.count += 8 * len(piece)

    def take(self, size):
        while self.count < size:
            self.fill()
        self.count -= size
        return (self.held >> self.count) & ((1 << size) - 1)

    def symbol(self, table):
        while self.count < 16:
            self.fill()
        length, symbol = table[(self.held >> (self.count - 16)) & 0xFFFF]
        if length == 0:
            raise Corrupt("a scan has a code that is in no table")
        self.count -= length
        return symbol

    def signed(self, size):
        """A difference of this many bits (F.1.2.1)."""
        if size == 0:
            return 0
        if size > 11:
            raise Corrupt("a scan has a difference that is too large")
        value = self.take(size)
        return value if value >> (size - 1) else value - (1 << size) + 1


def painted(frame, quantization, plain_rgb):
    """The means as a picture."""
    channels = []
    # A block at the edge that is mostly filling is left out.
    width, height = max(1, (frame.width + 4) // 8), max(1, (frame.height + 4) // 8)
    for component in frame.components.values():
        step = quantization.get(component.table)
        if step is None:
            raise Corrupt("a quantization table is missing")
        samples = [min(255.0, max(0.0, mean * step / 8 + 128)) for mean in component.means]
        columns = [x * component.across // frame.across for x in range(width)]
        rows = [y * component.down // frame.down * component.columns for y in range(height)]
        channels.append([samples[row + column] for row in rows for column in columns])
    if len(channels) == 1:
        pixels = [(round(grey),) * 3 for grey in channels[0]]
    elif plain_rgb:
        pixels = [tuple(map(round, pixel)) for pixel in zip(*channels)]
    else:
        pixels = [rgb(*pixel) for pixel in zip(*channels)]
    return Picture(width, height, pixels)


def rgb(luma, blue, red):
    """The colour of a sample (JFIF 1.02, "Conversion to and from RGB")."""
    channels = (
        luma + 1.402 * (red - 128),
        luma - 0.344136 * (blue - 128) - 0.714136 * (red - 128),
        luma + 1.772 * (blue - 128),
    )
    return tuple(min(255, max(0, round(channel))) for channel in channels)
