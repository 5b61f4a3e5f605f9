"""ThumbHash, the placeholder of a picture in about 25 bytes (https://evanw.github.io/thumbhash/), of opaque pictures.

The picture is described by brightness and two differences of colours, each by its mean and the strengths of its lowest
frequencies, in whole numbers of few bits.
"""

from math import cos, floor, pi

# The largest side of a picture. More pixels change nothing that is kept.
LARGEST = 100
# The most frequencies of the brightness along a side.
DETAIL = 7


def thumbhash(picture):
    """The bytes of the hash of a picture whose sides are at most LARGEST."""
    longer = max(picture.width, picture.height)
    across, down = (max(1, whole(DETAIL * side / longer)) for side in (picture.width, picture.height))
    scaled = [tuple(1 / 255 * channel for channel in pixel) for pixel in picture.pixels]
    brightness = Channel(picture, [(red + green + blue) / 3 for red, green, blue in scaled], max(3, across), max(3, down))
    yellow = Channel(picture, [(red + green) / 2 - blue for red, green, blue in scaled], 3, 3)
    red = Channel(picture, [red - green for red, green, _ in scaled], 3, 3)

    landscape = picture.width > picture.height
    # Bit 23 says whether the picture lets anything through.
    means = whole(63 * brightness.mean) | whole(31.5 + 31.5 * yellow.mean) << 6 | whole(31.5 + 31.5 * red.mean) << 12
    means |= whole(31 * brightness.strongest) << 18
    shape = (down if landscape else across) | whole(63 * yellow.strongest) << 3
    shape |= whole(63 * red.strongest) << 9 | landscape << 15

    parts = [part for channel in (brightness, yellow, red) for part in channel.parts()]
    parts += [0] * (len(parts) % 2)
    packed = bytes(low | high << 4 for low, high in zip(parts[::2], parts[1::2]))
    return means.to_bytes(3, "little") + shape.to_bytes(2, "little") + packed


class Channel:
    """The mean and the lowest frequencies of a channel: a triangle of `across` by `down`."""

    def __init__(self, picture, samples, across, down):
        width, height = picture.width, picture.height
        columns = [[cos(pi / width * cx * (x + 0.5)) for x in range(width)] for cx in range(across)]
        lines = [[cos(pi / height * cy * (y + 0.5)) for y in range(height)] for cy in range(down)]
        # Added up in the order of the pixels, as every implementation does: where a number lies between two whole ones, the
        # last bit of the sum decides.
        rows = [samples[y * width : (y + 1) * width] for y in range(height)]
        strengths = [
            sum_of(sample * x * y for row, y in zip(rows, lines[cy]) for sample, x in zip(row, columns[cx])) / (width * height)
            for cy in range(down)
            for cx in range(across)
            if cx * down < across * (down - cy)
        ]
        self.mean, self.others = strengths[0], strengths[1:]
        self.strongest = max(map(abs, self.others))

    def parts(self):
        """The frequencies as numbers of 4 bits, relative to the strongest."""
        if self.strongest == 0:
            return [0] * len(self.others)
        return [whole(15 * (0.5 + 0.5 / self.strongest * other)) for other in self.others]


def sum_of(numbers):
    """The sum, rounded after every addition. Since Python 3.12, `sum` is more exact."""
    total = 0.0
    for number in numbers:
        total += number
    return total


def whole(number):
    """The nearest whole number; of two, the larger one."""
    return floor(number + 0.5)
