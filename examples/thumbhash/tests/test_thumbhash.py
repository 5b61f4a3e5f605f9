import base64
import unittest

from paths import CASES  # noqa: F401

from picture import Picture
from thumbhash import thumbhash

# By width and height of the pattern below, from thumbhash 0.1.1 of npm, which is its inventor's implementation.
EXPECTED = {
    (2, 1): "xSgKNIhyDY2IiIfQKIdyiCCHCA==",
    (40, 30): "4AcCDYJyalUrRotGfVYMctz6q5sO",
    (30, 40): "3/cBFQKTNTamZ2YIrExDOXz6ffyK",
    (100, 100): "H/gBBwB0Yn2Xd2OIp5N1sHaJ+Tp6pfAE",
    (100, 13): "IPgFCYJmAYxoiImFP3u3Kb8=",
    (5, 99): "HwgCCQBkYFSAk0Ghk6z/gO8=",
    (33, 17): "HwgGJIJQaldmaEZmZiaPeHuIXw==",
}


def pattern(x, y):
    return (x * 73 + y * 151 + x * y * 7) % 256, (x * 37 + y * 11 + x * x * 3) % 256, (x * 5 + y * y * 13) % 256


class ThumbHashTest(unittest.TestCase):
    def test_hashes_are_those_of_the_inventor_s_implementation(self):
        for (width, height), expected in EXPECTED.items():
            picture = Picture(width, height, [pattern(x, y) for y in range(height) for x in range(width)])
            with self.subTest(width=width, height=height):
                self.assertEqual(base64.b64encode(thumbhash(picture)).decode(), expected)

    def test_one_pixel_has_a_hash(self):
        self.assertEqual(base64.b64encode(thumbhash(Picture(1, 1, [(255, 0, 0)]))).decode(), "1fsrB38I9wiIh4hwj3CI+AiIgIAICIgA")


if __name__ == "__main__":
    unittest.main()
