"""Writes JPEG files of every kind, and the pixels that libjpeg-turbo decodes them to.

Argument: a folder. For each file NAME.jpg there, NAME.N.raw has the pixels at N eighths of its size, and a line of the output
says "NAME N width height mode". Pillow writes the usual kinds; the encoder below writes those that Pillow cannot.
"""

import io
import math
import struct
import sys

from PIL import Image, ImageFile

OUT = sys.argv[1]
ZIGZAG = sorted(range(64), key=lambda i: (i // 8 + i % 8, i // 8 if (i // 8 + i % 8) % 2 else i % 8))


def picture(width, height):
    """Colours that change slowly, and brightness at many frequencies."""
    image = Image.new("RGB", (width, height))
    pixels = []
    for y in range(height):
        for x in range(width):
            wave = 40 * math.sin(x * x / 300 + y / 5)
            pixels.append(tuple(max(0, min(255, int(value))) for value in (
                60 + x * 120 / width + wave, 120 + wave, 200 - y * 120 / height + wave)))
    image.putdata(pixels)
    return image


class Bits:
    def __init__(self):
        self.bytes, self.held, self.count = bytearray(), 0, 0

    def put(self, value, length):
        self.held, self.count = self.held << length | value, self.count + length
        while self.count >= 8:
            self.count -= 8
            byte = self.held >> self.count & 255
            self.bytes += bytes([255, 0] if byte == 255 else [byte])
        self.held &= (1 << self.count) - 1

    def end(self):
        if self.count:
            self.put((1 << 8 - self.count) - 1, 8 - self.count)
        return bytes(self.bytes)


def tables_of(file):
    """The Huffman tables of a file: by class and number, the code and its length for each value."""
    tables, at = {}, 2
    while file[at + 1] != 0xDA:
        marker, length = file[at + 1], struct.unpack(">H", file[at + 2:at + 4])[0]
        body = file[at + 4:at + 2 + length]
        while marker == 0xC4 and body:
            counts, code, place, codes = body[1:17], 0, 17, {}
            for size in range(1, 17):
                for _ in range(counts[size - 1]):
                    codes[body[place]] = (code, size)
                    code, place = code + 1, place + 1
                code <<= 1
            tables[body[0]] = codes
            body = body[place:]
        at += 2 + length
    return tables


PLAIN = io.BytesIO()
Image.new("RGB", (8, 8)).save(PLAIN, "JPEG")
TABLES = tables_of(PLAIN.getvalue())
COS = [[math.cos((2 * x + 1) * u * math.pi / 16) * (math.sqrt(0.125) if u == 0 else 0.5) for x in range(8)]
       for u in range(8)]
STEP = 6


def coefficients(samples):
    """The quantised coefficients of eight rows of eight samples, in zigzag order."""
    rows = [[sum(COS[u][x] * row[x] for x in range(8)) for u in range(8)] for row in samples]
    block = [sum(COS[v][y] * rows[y][u] for y in range(8)) for v in range(8) for u in range(8)]
    return [round(block[place] / STEP) for place in ZIGZAG]


def number(value):
    size = abs(value).bit_length()
    return (value if value >= 0 else value + (1 << size) - 1), size


def segment(marker, body):
    return struct.pack(">BBH", 255, marker, len(body) + 2) + body


def written(image, samplings, *, interleaved=True, restart=0, tables=True, lines=True, marker=0xC0, ids=(1, 2, 3, 4),
            extra=b"", fill=b"", selection=(0, 63, 0), end=b"\xff\xd9"):
    """A sequential file of the image's channels, each with its own sampling."""
    width, height = image.size
    most = [max(s[i] for s in samplings) for i in (0, 1)]
    planes = []
    for channel, (h, v) in zip(image.split(), samplings):
        size = (-(-width * h // most[0]), -(-height * v // most[1]))
        units = (-(-width // (8 * most[0])) * h, -(-height // (8 * most[1])) * v)
        scaled = channel.resize(size, Image.BOX)
        pixel = scaled.load()
        blocks = {}
        for by in range(units[1]):
            for bx in range(units[0]):
                blocks[bx, by] = coefficients([[
                    pixel[min(8 * bx + x, size[0] - 1), min(8 * by + y, size[1] - 1)] - 128 for x in range(8)
                ] for y in range(8)])
        planes.append((blocks, (-(-size[0] // 8), -(-size[1] // 8))))

    out = b"\xff\xd8" + extra
    out += segment(0xDB, bytes([0]) + bytes([STEP] * 64))
    out += segment(marker, struct.pack(">BHHB", 8, height if lines else 0, width, len(planes)) + b"".join(
        bytes([ids[i], h << 4 | v, 0]) for i, (h, v) in enumerate(samplings)))
    if restart:
        out += segment(0xDD, struct.pack(">H", restart))
    if tables:
        out += PLAIN.getvalue()[PLAIN.getvalue().find(b"\xff\xc4"):PLAIN.getvalue().find(b"\xff\xda")]
    scans = [list(range(len(planes)))] if interleaved else [[i] for i in range(len(planes))]
    for place, scan in enumerate(scans):
        out += fill + segment(0xDA, bytes([len(scan)]) + b"".join(
            bytes([ids[i], 0x11 if i in (1, 2) else 0]) for i in scan) + bytes(selection))
        bits, predicted, units = Bits(), [0] * len(planes), 0
        if len(scan) == 1:
            across, down = planes[scan[0]][1]
        else:
            across, down = -(-width // (8 * most[0])), -(-height // (8 * most[1]))
        for unit in range(across * down):
            if restart and unit and unit % restart == 0:
                out += bits.end() + fill + bytes([255, 0xD0 + units % 8])
                bits, predicted, units = Bits(), [0] * len(planes), units + 1
            for i in scan:
                h, v = samplings[i] if len(scan) > 1 else (1, 1)
                dc, ac = TABLES[1 if i in (1, 2) else 0], TABLES[0x11 if i in (1, 2) else 0x10]
                for y in range(v):
                    for x in range(h):
                        block = planes[i][0][unit % across * h + x, unit // across * v + y]
                        value, size = number(block[0] - predicted[i])
                        predicted[i] = block[0]
                        bits.put(*dc[size])
                        bits.put(value, size)
                        run = 0
                        last = max((k for k in range(64) if block[k]), default=0)
                        for k in range(1, last + 1):
                            if block[k] == 0:
                                run += 1
                                continue
                            while run > 15:
                                bits.put(*ac[0xF0])
                                run -= 16
                            value, size = number(block[k])
                            bits.put(*ac[run << 4 | size])
                            bits.put(value, size)
                            run = 0
                        if last < 63:
                            bits.put(*ac[0])
        out += bits.end()
        if place == 0 and not lines:
            out += segment(0xDC, struct.pack(">H", height))
    return out + end


def by_pillow(image, **options):
    file = io.BytesIO()
    image.save(file, "JPEG", **options)
    return file.getvalue()


ADOBE = segment(0xEE, b"Adobe" + bytes([0, 100, 0, 0, 0, 0, 0]))
JFIF = segment(0xE0, b"JFIF\0\1\1\0\0\1\0\1\0\0")
whole, odd = picture(96, 80), picture(77, 53)
gray, ycc, cmyk = odd.convert("L"), odd.convert("YCbCr"), odd.convert("CMYK")

files = {}
for name, sampling in [("444", 0), ("422", 1), ("420", 2)]:
    for progressive in (False, True):
        kind = "progressive" if progressive else "baseline"
        for size, image in [("whole", whole), ("odd", odd)]:
            files[f"{kind}-{name}-{size}"] = by_pillow(
                image, quality=92, subsampling=sampling, progressive=progressive, optimize=size == "odd")
        files[f"{kind}-{name}-restarts"] = by_pillow(
            odd, quality=75, subsampling=sampling, progressive=progressive, restart_marker_blocks=3)
for kind, progressive in [("baseline", False), ("progressive", True)]:
    files[f"{kind}-gray"] = by_pillow(gray, quality=92, progressive=progressive)
    files[f"{kind}-cmyk"] = by_pillow(cmyk, quality=92, progressive=progressive)
    files[f"{kind}-rgb"] = by_pillow(odd, quality=92, progressive=progressive, keep_rgb=True)
for side in [(1, 1), (1, 40), (40, 1), (2, 3), (7, 9), (8, 8), (9, 17)]:
    small = picture(*side)
    for kind, progressive in [("baseline", False), ("progressive", True)]:
        files[f"{kind}-{side[0]}x{side[1]}"] = by_pillow(small, quality=92, progressive=progressive)
one = (1, 1)
for name, samplings in {
    "440": [(1, 2), one, one], "411": [(4, 1), one, one], "410": [(4, 2), one, one], "3x1": [(3, 1), one, one],
    "1x3": [(1, 3), one, one], "2x2-2x1-1x2": [(2, 2), (2, 1), (1, 2)],
    "1x4": [(1, 4), one, one], "colours-finer": [one, (2, 2), (2, 2)], "all-1x2": [(1, 2)] * 3,
}.items():
    files[f"sampling-{name}"] = written(ycc, samplings, extra=JFIF)
    files[f"sampling-{name}-apart"] = written(ycc, samplings, interleaved=False, extra=JFIF)
half = [(2, 2), one, one]
files["gray-2x2"] = written(gray, [(2, 2)])
files["extended"] = written(ycc, half, marker=0xC1)
files["no-tables"] = written(ycc, half, tables=False)
files["restarts-apart"] = written(ycc, half, interleaved=False, restart=2)
files["fill-bytes"] = written(ycc, half, restart=2, fill=b"\xff\xff\xff", interleaved=False)
files["selection-0-0-1"] = written(ycc, half, selection=(0, 0, 1))
files["ids-0-1-2"] = written(ycc, half, ids=(0, 1, 2))
files["ids-1-1-1"] = written(ycc, [one] * 3, ids=(1, 1, 1))
files["ids-rgb"] = written(odd, [one] * 3, ids=(82, 71, 66))
files["ids-rgb-jfif"] = written(ycc, [one] * 3, ids=(82, 71, 66), extra=JFIF)
files["adobe-0"] = written(odd, [one] * 3, extra=ADOBE)
files["adobe-0-jfif"] = written(ycc, [one] * 3, extra=JFIF + ADOBE)
files["adobe-1-rgb"] = written(ycc, half, ids=(82, 71, 66), extra=ADOBE[:-1] + b"\1")
files["cmyk-plain"] = written(cmyk, [one] * 4)
ycck = Image.merge("CMYK", (*Image.merge("RGB", cmyk.split()[:3]).convert("YCbCr").split(), cmyk.split()[3]))
files["ycck"] = written(ycck, [(2, 2), one, one, (2, 2)], extra=ADOBE[:-1] + b"\2")
files["no-end"] = written(ycc, half, end=b"")
files["trailer"] = written(ycc, half, end=b"\xff\xd9" + bytes(range(256)))
files["trailer-without-end"] = written(ycc, half, end=b"\0\0\x10\x0aMotionPanorama_Data" + bytes(range(256)))

# A file without an end mark is none to Pillow otherwise.
ImageFile.LOAD_TRUNCATED_IMAGES = True
for name, file in files.items():
    with open(f"{OUT}/{name}.jpg", "wb") as out:
        out.write(file)
    for eighths in (8, 4, 2, 1):
        try:
            with Image.open(io.BytesIO(file)) as image:
                if eighths < 8:
                    size = [max(1, side * eighths // 8) for side in image.size]
                    image.draft(image.mode, size)
                image.load()
        except OSError as error:
            print(f"{name}: {error}", file=sys.stderr)
            continue
        with open(f"{OUT}/{name}.{eighths}.raw", "wb") as out:
            out.write(image.tobytes())
        print(name, eighths, *image.size, image.mode)
# libjpeg reads no file whose height follows the first scan. So its pixels are those of the same file that has it.
with open(f"{OUT}/lines.jpg", "wb") as out:
    out.write(written(ycc, half, lines=False))
with Image.open(io.BytesIO(written(ycc, half))) as image:
    with open(f"{OUT}/lines.8.raw", "wb") as out:
        out.write(image.tobytes())
    print("lines", 8, *image.size, image.mode)
