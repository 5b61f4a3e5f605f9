"""A small picture in memory."""

from dataclasses import dataclass


@dataclass
class Picture:
    """Pixels row by row, each a tuple of red, green and blue from 0 to 255."""

    width: int
    height: int
    pixels: list

    def upright(self, orientation):
        """The picture as a person sees it, by its EXIF orientation, 1 to 8."""
        rows = [self.pixels[y * self.width : (y + 1) * self.width] for y in range(self.height)]
        if orientation in (5, 6, 7, 8):
            rows = list(zip(*rows))
        if orientation in (2, 3, 6, 7):
            rows = [row[::-1] for row in rows]
        if orientation in (3, 4, 7, 8):
            rows = rows[::-1]
        return Picture(len(rows[0]), len(rows), [pixel for row in rows for pixel in row])

    def reduced(self, longest):
        """The picture with no side above `longest`: means of squares of the same whole number of pixels."""
        step = -(-max(self.width, self.height) // longest)
        if step <= 1:
            return self
        pixels = []
        for top in range(0, self.height, step):
            for left in range(0, self.width, step):
                square = [
                    self.pixels[y * self.width + x]
                    for y in range(top, min(top + step, self.height))
                    for x in range(left, min(left + step, self.width))
                ]
                pixels.append(tuple(round(sum(channel) / len(square)) for channel in zip(*square)))
        return Picture(-(-self.width // step), -(-self.height // step), pixels)
