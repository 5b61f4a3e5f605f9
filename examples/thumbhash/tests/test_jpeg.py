import unittest

from paths import CASES

import jpeg
from picture import Picture

PHOTO = (CASES / "a-photo/photo.jpg").read_bytes()
TURNED = (CASES / "turned/turned.jpg").read_bytes()

# Means of squares of 8 by 8 pixels, from Pillow 13: `Image.open(…).convert("RGB").reduce(8)`.
PHOTO_MEANS = {(0, 0): (43, 72, 151), (20, 15): (205, 190, 169), (39, 29): (197, 207, 92), (5, 25): (62, 188, 142)}
TURNED_MEANS = {(0, 0): (196, 74, 93), (10, 15): (205, 190, 169), (14, 19): (43, 204, 149)}


class JpegTest(unittest.TestCase):
    def near(self, picture, at, expected):
        found = picture.pixels[at[1] * picture.width + at[0]]
        far = max(abs(a - b) for a, b in zip(found, expected))
        self.assertLess(far, 12, f"{found} at {at}, not {expected}")

    def test_the_pixels_are_the_means_of_blocks_as_libjpeg_decodes_them(self):
        picture = jpeg.eighth(PHOTO)
        self.assertEqual((picture.width, picture.height), (40, 30))
        for at, expected in PHOTO_MEANS.items():
            self.near(picture, at, expected)
        picture = jpeg.eighth(TURNED)  # Progressive, with restarts.
        self.assertEqual((picture.width, picture.height), (15, 20))
        for at, expected in TURNED_MEANS.items():
            self.near(picture, at, expected)

    def test_every_orientation_is_undone(self):
        shown = [1, 2, 3, 4, 5, 6]  # Three columns, two rows.
        stored = {
            1: (3, [1, 2, 3, 4, 5, 6]), 2: (3, [3, 2, 1, 6, 5, 4]), 3: (3, [6, 5, 4, 3, 2, 1]), 4: (3, [4, 5, 6, 1, 2, 3]),
            5: (2, [1, 4, 2, 5, 3, 6]), 6: (2, [3, 6, 2, 5, 1, 4]), 7: (2, [6, 3, 5, 2, 4, 1]), 8: (2, [4, 1, 5, 2, 6, 3]),
        }
        for orientation, (width, pixels) in stored.items():
            upright = Picture(width, 6 // width, pixels).upright(orientation)
            self.assertEqual((upright.width, upright.height, upright.pixels), (3, 2, shown), orientation)

    def test_what_is_not_read_says_why(self):
        for marker, reason in ((0xC3, "lossless"), (0xC9, "arithmetically")):
            changed = PHOTO.replace(b"\xff\xc0", bytes([0xFF, marker]), 1)
            with self.assertRaisesRegex(jpeg.Unsupported, reason):
                jpeg.eighth(changed)
        at = PHOTO.index(b"\xff\xc0") + 5
        with self.assertRaisesRegex(jpeg.Unsupported, "takes too long"):
            jpeg.eighth(PHOTO[:at] + b"\xff\xff\xff\xff" + PHOTO[at + 4 :])

    def test_damaged_bytes_are_a_picture_or_a_failure_of_the_file(self):
        failures = 0
        for data in (PHOTO, TURNED):
            for at in range(0, len(data), 61):
                for changed in (data[:at], data[:at] + bytes([data[at] ^ 0x55]) + data[at + 1 :]):
                    try:
                        picture = jpeg.eighth(changed)
                        self.assertEqual(len(picture.pixels), picture.width * picture.height)
                    except (jpeg.Corrupt, jpeg.Unsupported):
                        failures += 1
        self.assertGreater(failures, 50)


if __name__ == "__main__":
    unittest.main()
