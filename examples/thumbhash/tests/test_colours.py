import unittest

from paths import CASES  # noqa: F401

from colours import dominant
from config import Config
from picture import Picture


class ColoursTest(unittest.TestCase):
    def test_the_most_frequent_colours_come_first_and_near_ones_count_as_one(self):
        pixels = [(250, 0, 0)] * 3 + [(0, 0, 255)] * 4 + [(254, 0, 0)] * 3 + [(0, 255, 0)]
        picture = Picture(11, 1, pixels)
        self.assertEqual(dominant(picture, 2), ["#fc0000", "#0000ff"])
        self.assertEqual(dominant(picture, 8), ["#fc0000", "#0000ff", "#00ff00"])

    def test_a_large_picture_is_reduced_to_the_means_of_its_squares(self):
        picture = Picture(5, 2, [(0, 0, 0), (10, 0, 0)] * 5)
        reduced = picture.reduced(3)
        self.assertEqual((reduced.width, reduced.height), (3, 1))
        self.assertEqual(reduced.pixels, [(5, 0, 0), (5, 0, 0), (5, 0, 0)])
        self.assertIs(picture.reduced(5), picture)

    def test_a_setting_that_does_not_fit_is_named(self):
        self.assertEqual(Config.read("{}"), Config(3))
        for wrong in ('{"colours": 9}', '{"colours": "3"}', '{"colours": true}'):
            with self.assertRaisesRegex(ValueError, "config.colours is"):
                Config.read(wrong)


if __name__ == "__main__":
    unittest.main()
