"""Writes TIFFs of every kind that scanners write, and beside each what Pillow makes of it: NAME.tif and NAME.raw (width and
height, four bytes each, then RGBA). Pillow's libtiff writes what it can; a few lines write what it cannot, and where Pillow
cannot read that either, the pixels that were written are expected."""
import io, struct, sys, zlib
from pathlib import Path
import numpy as np
from PIL import Image, ImageCms

out = Path(sys.argv[1])
W, H = 203, 157
y, x = np.mgrid[0:H, 0:W]
rgb = np.stack([x * 255 // (W - 1), y * 255 // (H - 1), (x + y) * 255 // (W + H - 2)], -1).astype(np.uint8)
rgb[40:80, 30:90] = (200, 30, 60)
gray = rgb[..., 1].copy()
ink = ((x // 7 + y // 5) % 3 == 0) | ((x - 100) ** 2 + (y - 70) ** 2 < 900)
alpha = (255 - x * 200 // W).astype(np.uint8)
alpha[:, :20] = 0
picture = Image.fromarray(rgb)


def expect(name, rgba):
    if rgba.shape[2] == 3:
        rgba = np.dstack([rgba, np.full(rgba.shape[:2], 255, np.uint8)])
    (out / (name + '.raw')).write_bytes(struct.pack('<II', rgba.shape[1], rgba.shape[0]) + rgba.astype(np.uint8).tobytes())


def by_pillow(name, image, **options):
    path = out / (name + '.tif')
    image.save(path, **options)
    with Image.open(path) as again:
        again.load()
        if again.mode == 'I;16':
            wide = np.asarray(again).astype(np.uint32)
            again = Image.fromarray(((wide * 255 + 32767) // 65535).astype(np.uint8))
        # Pillow has other formulas for inks and CIELAB; the stage's are compared with the picture that was made.
        expect(name, np.asarray(again.convert('RGBA')))


def number(order, kind, values):
    if isinstance(values, bytes):
        return values
    code = {3: 'H', 4: 'I', 16: 'Q'}.get(kind)
    if kind == 5:
        return b''.join(struct.pack(order + 'II', *pair) for pair in values)
    return struct.pack(order + code * len(values), *values)


def write(name, expected, chunks, tags, order='<', big=False, tiled=None, strip_tags=False, lengths=True, after=(),
          before=b''):
    """Writes a file of these chunks and tags (tag: (type, values)). `after`: further directories, as (tags, chunks);
    `before`: bytes right after the header."""
    offset = 16 if big else 8
    word = 'Q' if big else 'I'
    body, directories = bytearray(before), []
    for tags, chunks in [(tags, chunks), *after]:
        tags = dict(tags)
        places = []
        for chunk in chunks:
            places.append(offset + len(body))
            body += chunk + b'\0' * (len(chunk) % 2)
        at, size = (273, 279) if tiled is None or strip_tags else (324, 325)
        tags[at] = (16 if big else 4, places)
        if lengths:
            tags[size] = (4, [len(chunk) for chunk in chunks])
        directories.append(tags)
    starts = []
    link = b''
    for index, tags in enumerate(directories):
        entries = []
        for tag in sorted(tags):
            kind, values = tags[tag]
            data = number(order, kind, values)
            count = len(data) if kind in (1, 7) else len(values)
            room = 8 if big else 4
            if len(data) > room:
                place = offset + len(body)
                body += data + b'\0' * (len(data) % 2)
                data = struct.pack(order + word, place)
            entries.append(struct.pack(order + 'HH' + word, tag, kind, count) + data.ljust(room, b'\0'))
        starts.append(offset + len(body))
        body += struct.pack(order + ('Q' if big else 'H'), len(entries)) + b''.join(entries)
        directories[index] = offset + len(body)
        body += b'\0' * (8 if big else 4)
    for link, following in zip(directories, starts[1:]):
        body[link - offset:link - offset + (8 if big else 4)] = struct.pack(order + word, following)
    mark = b'II' if order == '<' else b'MM'
    head = struct.pack(order + 'HHHQ', 43, 8, 0, starts[0]) if big else struct.pack(order + 'HI', 42, starts[0])
    (out / (name + '.tif')).write_bytes(mark + head + body)
    if expected is not None:
        expect(name, expected)
        return
    with Image.open(out / (name + '.tif')) as image:
        image.load()
        expect(name, np.asarray(image.convert('RGBA')))


def basic(photometric, samples, bits=8, compression=1, rows=H, **more):
    tags = {256: (4, [W]), 257: (4, [H]), 258: (3, [bits] * samples), 259: (3, [compression]), 262: (3, [photometric]),
            277: (3, [samples]), 278: (4, [rows])}
    tags.update(more.get('tags', {}))
    return tags


def strips(pixels, rows, pack=bytes):
    return [pack(pixels[at:at + rows].tobytes()) for at in range(0, len(pixels), rows)]


def bits_of(values, bits):
    """Packs samples of `bits` bits, each row to whole bytes."""
    rows = ((values[..., None] >> np.arange(bits - 1, -1, -1)) & 1).astype(np.uint8).reshape(len(values), -1)
    return np.packbits(rows, axis=1)


def difference(pixels, samples):
    wide = pixels.reshape(len(pixels), -1, samples)
    result = wide.copy()
    result[:, 1:] -= wide[:, :-1]
    return result


def tiles(pixels, side, pack=bytes):
    height, width = -(-H // side) * side, -(-W // side) * side
    room = np.zeros((height, width) + pixels.shape[2:], pixels.dtype)
    room[:H, :W] = pixels
    return [pack(room[top:top + side, left:left + side].tobytes())
            for top in range(0, height, side) for left in range(0, width, side)]


# What libtiff writes.
for packing in ('raw', 'tiff_lzw', 'tiff_adobe_deflate', 'packbits', 'zstd', 'lzma'):
    for mode in ('1', 'L', 'P', 'RGB', 'RGBA'):
        image = {'1': Image.fromarray(ink), 'L': Image.fromarray(gray), 'RGB': picture,
                 'P': picture.quantize(200), 'RGBA': Image.fromarray(np.dstack([rgb, alpha]))}[mode]
        by_pillow(f'pillow-{mode}-{packing}', image, compression=packing)
    by_pillow(f'pillow-gray16-{packing}', Image.fromarray((gray.astype(np.uint16) * 257)), compression=packing)
for packing in ('group3', 'group4', 'tiff_ccitt'):
    by_pillow(f'pillow-{packing}', Image.fromarray(ink), compression=packing)
by_pillow('pillow-group3-two-dimensional', Image.fromarray(ink), compression='group3', tiffinfo={292: 1})
by_pillow('pillow-group3-filled', Image.fromarray(ink), compression='group3', tiffinfo={292: 5})
by_pillow('pillow-differences', picture, compression='tiff_lzw', tiffinfo={317: 2})
by_pillow('pillow-differences-zstd', picture, compression='zstd', tiffinfo={317: 2})
by_pillow('pillow-big', picture, compression='tiff_lzw', big_tiff=True)
for quality in (75, 95):
    by_pillow(f'pillow-jpeg-{quality}', picture, compression='jpeg', quality=quality)
by_pillow('pillow-jpeg-gray', Image.fromarray(gray), compression='jpeg', quality=90)

# What it does not write, or Pillow does not ask it to.
for order in '<>':
    mark = 'little' if order == '<' else 'big'
    wide = (rgb.astype(np.uint16) * 257).astype(order + 'u2')
    write(f'rgb16-{mark}', rgb, strips(wide, 32), basic(2, 3, 16, rows=32), order)
    packed = difference(wide.astype('u2').astype(np.uint16), 3).astype(order + 'u2')
    write(f'rgb16-differences-{mark}', rgb, strips(packed, 32, zlib.compress),
          basic(2, 3, 16, 8, 32, tags={317: (3, [2])}), order)
    write(f'big-{mark}', rgb, strips(rgb, 50), basic(2, 3, rows=50), order, big=True)
    long = (gray.astype(np.uint32) * 0x01010101).astype(order + 'u4')
    write(f'gray32-{mark}', np.dstack([gray] * 3), strips(long, 32), basic(1, 1, 32, rows=32), order)
for bits in (2, 4, 12):
    values = gray.astype(np.uint32) * ((1 << bits) - 1) // 255
    shown = (values * 255 + ((1 << bits) - 1) // 2) // ((1 << bits) - 1)
    write(f'gray{bits}', np.dstack([shown] * 3), strips(bits_of(values, bits), 20), basic(1, 1, bits, rows=20))
    write(f'gray{bits}-white-is-zero', np.dstack([255 - shown] * 3), strips(bits_of(values, bits), 20),
          basic(0, 1, bits, rows=20))
for bits in (1, 2, 4):
    palette = (np.arange(3 << bits, dtype=np.uint32) * 40_503 % 65_536)
    index = (x // 9 + y // 11) % (1 << bits)
    colours = (palette >> 8).reshape(3, -1).T
    write(f'palette{bits}', colours[index], strips(bits_of(index, bits), 16),
          basic(3, 1, bits, rows=16, tags={320: (3, palette.tolist())}))
scaled = rgb / 255
light = np.where(scaled <= 0.04045, scaled / 12.92, ((scaled + 0.055) / 1.055) ** 2.4)
for bits in (16, 32, 64):
    for order in '<>':
        mark = 'little' if order == '<' else 'big'
        write(f'light{bits}-{mark}', rgb, strips(light.astype(f'{order}f{bits // 8}'), 32),
              basic(2, 3, bits, rows=32, tags={339: (3, [3] * 3)}), order)
    apart = light.astype(f'>f{bits // 8}').view(np.uint8).reshape(H, 3 * W, -1).transpose(0, 2, 1).reshape(H, -1)
    write(f'light{bits}-differences', rgb, strips(difference(apart, 3).reshape(H, -1), 32, zlib.compress),
          basic(2, 3, bits, 8, 32, tags={339: (3, [3] * 3), 317: (3, [3])}))
planes = [np.ascontiguousarray(rgb[..., channel]) for channel in range(3)]
write('planar', None, [s for plane in planes for s in strips(plane, 32, zlib.compress)],
      basic(2, 3, 8, 8, 32, tags={284: (3, [2])}))
write('planar-differences', rgb, [s for plane in planes for s in strips(difference(plane, 1), 32, zlib.compress)],
      basic(2, 3, 8, 8, 32, tags={284: (3, [2]), 317: (3, [2])}))
tile = {322: (4, [64]), 323: (4, [64])}
write('tiles', None, tiles(rgb, 64, zlib.compress), basic(2, 3, 8, 8, tags=tile), tiled=64)
write('tiles-under-strip-tags', rgb, tiles(rgb, 64), basic(2, 3, tags=tile), tiled=64, strip_tags=True)
write('tiles-planar', rgb, [t for plane in planes for t in tiles(plane, 64)],
      basic(2, 3, tags={**tile, 284: (3, [2])}), tiled=64)
write('tiles-16', rgb, tiles((rgb.astype(np.uint16) * 257), 64, zlib.compress), basic(2, 3, 16, 8, tags=tile), tiled=64)
write('one-strip-of-any-height', None, strips(rgb, H), basic(2, 3, rows=2 ** 32 - 1))
write('without-lengths', rgb, strips(rgb, H), basic(2, 3), lengths=False)
reverse = bytes(int(f'{byte:08b}'[::-1], 2) for byte in range(256))
write('reversed-bits', np.dstack([ink * 255] * 3), strips(np.packbits(ink, axis=1), 32, lambda b: b.translate(reverse)),
      basic(1, 1, 1, rows=32, tags={266: (3, [2])}))
write('reversed-bits-gray', np.dstack([gray] * 3), strips(gray, 32, lambda b: b.translate(reverse)),
      basic(1, 1, rows=32, tags={266: (3, [2])}))
group4 = out / 'pillow-group4.tif'
with Image.open(group4) as image:
    tags = image.tag_v2
    data = [group4.read_bytes()[at:at + size] for at, size in zip(tags[273], tags[279])]
    rows, shown = tags.get(278, H), np.asarray(image.convert('RGB'))
    write('reversed-bits-group4', shown, [piece.translate(reverse) for piece in data],
          basic(tags[262], 1, 1, 4, rows, tags={266: (3, [2])}))
rgba = np.dstack([rgb, alpha])
multiplied = rgba.copy()
multiplied[..., :3] = (rgb.astype(np.uint32) * alpha[..., None] + 127) // 255
write('opacity', rgba, strips(rgba, 32), basic(2, 4, rows=32, tags={338: (3, [2])}))
write('opacity-multiplied', rgba, strips(multiplied, 32), basic(2, 4, rows=32, tags={338: (3, [1])}))
write('opacity-multiplied-16', rgba, strips((multiplied.astype(np.uint16) * 257), 32),
      basic(2, 4, 16, rows=32, tags={338: (3, [1])}))
write('a-sample-that-means-nothing', rgb, strips(difference(rgba, 4), 32, zlib.compress),
      basic(2, 4, 8, 8, 32, tags={338: (3, [0]), 317: (3, [2])}))
write('opacity-without-a-tag', rgba, strips(rgba, 32), basic(2, 4, rows=32))
write('gray-opacity', np.dstack([gray] * 3 + [alpha]), strips(np.dstack([gray, alpha]), 32),
      basic(1, 2, rows=32, tags={338: (3, [2])}))
inks = np.dstack([255 - rgb, np.zeros_like(gray)])
write('inks', rgb, strips(inks, 32), basic(5, 4, rows=32))
write('inks-planar', rgb, [s for c in range(4) for s in strips(np.ascontiguousarray(inks[..., c]), 32)],
      basic(5, 4, rows=32, tags={284: (3, [2])}))
on_paper = 255 - (inks[..., :3].astype(np.uint32) * alpha[..., None] + 127) // 255
write('inks-opacity', on_paper, strips(np.dstack([inks, alpha]), 32), basic(5, 5, rows=32, tags={338: (3, [2])}))
stream = io.BytesIO()
picture.save(stream, 'JPEG', quality=95, subsampling=0)
unstated = {**basic(6, 1, compression=6), 513: (4, [8])}
del unstated[277]
write('jpeg-of-1992-without-samples', rgb, [stream.getvalue()], unstated)
# Kinds of JPEG within TIFF.
def saved(name, image, expected, **options):
    image.save(out / (name + '.tif'), **options)
    expect(name, expected)


gray_and_alpha, with_alpha = Image.fromarray(gray), picture.copy()
gray_and_alpha.putalpha(Image.fromarray(alpha))
with_alpha.putalpha(Image.fromarray(alpha))
by_pillow('pillow-jpeg-gray-opacity', gray_and_alpha, compression='jpeg', quality=95)
by_pillow('pillow-jpeg-opacity', with_alpha, compression='jpeg', quality=95)
by_pillow('pillow-jpeg-rgb', picture, compression='jpeg', quality=95, tiffinfo={262: 2})
saved('pillow-jpeg-inks', Image.fromarray(inks, 'CMYK'), rgb, compression='jpeg', quality=95)
srgb, lab = ImageCms.createProfile('sRGB'), ImageCms.createProfile('LAB')
saved('pillow-jpeg-cielab', ImageCms.profileToProfile(picture, srgb, lab, outputMode='LAB'), rgb, compression='jpeg',
      quality=100)
# libtiff writes the rows from multiples of 16 bits of its memory, and does not read them again.
saved('pillow-rows-of-words', Image.fromarray(ink), np.dstack([ink * 255] * 3), compression='tiff_raw_16')


def old_jpeg(name, image, rows, options, tags, expected=None):
    """Strips of nothing but coded data, each begun anew, and the tables in tags. libtiff reads them if they are in colour."""
    tables, data = {}, []
    for top in range(0, H, rows):
        stream = io.BytesIO()
        image.crop((0, top, W, min(top + rows, H))).save(stream, 'JPEG', quality=95, **options)
        stream, at = stream.getvalue(), 2
        while stream[at + 1] != 0xDA:
            size = int.from_bytes(stream[at + 2:at + 4], 'big')
            body = stream[at + 4:at + 2 + size]
            while body and stream[at + 1] in (0xDB, 0xC4):
                length = 65 if stream[at + 1] == 0xDB else 17 + sum(body[1:17])
                tables[stream[at + 1], body[0]] = body[1:length]
                body = body[length:]
            at += 2 + size
        data.append(stream[at + 2 + int.from_bytes(stream[at + 2:at + 4], 'big'):-2])
    blob, places = bytearray(), {}
    for key, table in tables.items():
        places[key] = 8 + len(blob)
        blob += table + b'\0' * (len(table) % 2)
    samples = len(image.getbands())
    numbers = [0, 1, 1][:samples]
    kinds = {519: 0xDB, 520: 0xC4, 521: 0xC4}
    lists = {tag: (4, [places[kind, number | (0x10 if tag == 521 else 0)] for number in numbers])
             for tag, kind in kinds.items()}
    write(name, expected, data, {**basic(6 if samples == 3 else 1, samples, compression=6, rows=rows),
                                 512: (3, [1]), **lists, **tags}, before=bytes(blob))


old_jpeg('jpeg-of-1992-in-strips', picture, 32, {'subsampling': 2}, {530: (3, [2, 2])})
old_jpeg('jpeg-of-1992-in-one-strip', picture, H, {'subsampling': 0}, {530: (3, [1, 1])})
old_jpeg('jpeg-of-1992-gray', Image.fromarray(gray), 64, {}, {}, np.dstack([gray] * 3))
# Runs, differences and values of ThunderScan.
levels = (gray >> 4).astype(int)
levels[:, 100:140] = (x[:, 100:140] // 5 + y[:, 100:140]) % 16
packed = bytearray()
for line in levels:
    last = at = 0
    while at < W:
        run = next((n for n in range(min(63, W - at)) if line[at + n] != last), min(63, W - at))
        steps = [int((b - a + 8) % 16 - 8) for a, b in zip([last, *line[at:at + 2]], line[at:at + 3])]
        if run > 1:
            packed.append(run)
            at += run
        elif len(steps) == 3 and all(-1 <= step <= 1 for step in steps):
            packed.append(0x40 | (steps[0] & 3) << 4 | (steps[1] & 3) << 2 | steps[2] & 3)
            at += 3
        elif len(steps) > 1 and all(-3 <= step <= 3 for step in steps[:2]):
            packed.append(0x80 | (steps[0] & 7) << 3 | steps[1] & 7)
            at += 2
        else:
            packed.append(0xC0 | int(line[at]))
            at += 1
        last = line[at - 1]
write('thunderscan', None, [bytes(packed)], basic(1, 1, 4, 32_809))
ycbcr = np.asarray(picture.convert('YCbCr'))
for across, down in ((1, 1), (2, 1), (2, 2), (4, 2)):
    height, width = -(-H // down) * down, -(-W // across) * across
    room = np.pad(ycbcr, ((0, height - H), (0, width - W), (0, 0)), 'edge').astype(np.uint32)
    blocks = room.reshape(height // down, down, width // across, across, 3)
    lights = blocks[..., 0].transpose(0, 2, 1, 3).reshape(height // down, width // across, -1)
    shared = (blocks[..., 1:].sum((1, 3)) + across * down // 2) // (across * down)
    units = np.concatenate([lights, shared], -1).astype(np.uint8)
    write(f'ycbcr-{across}-{down}', rgb, strips(units, 32 // down), basic(6, 3, rows=32, tags={530: (3, [across, down])}))
preview = {**basic(2, 3, rows=20), 256: (4, [20]), 257: (4, [20]), 254: (4, [1])}
write('preview-first', rgb, strips(rgb[:20, :20], 20), preview, after=[(basic(2, 3, rows=32), strips(rgb, 32))])
write('turned', np.rot90(rgb, -1), strips(rgb, 32), basic(2, 3, rows=32, tags={274: (3, [6])}))
