"""The colours that a person would name when asked what colours a picture has."""

# Colours nearer than this to each other count as one: the distance in red, green and blue, of 441 at most.
NEAR = 64
# The steps of a channel that are told apart when pixels are counted.
STEPS = 16


def dominant(picture, count):
    """At most `count` colours, the most frequent first, as `#rrggbb`. Each is the mean of the pixels that are near it."""
    groups = {}
    for pixel in picture.pixels:
        group = groups.setdefault(tuple(channel * STEPS // 256 for channel in pixel), [0, 0, 0, 0])
        for index, value in enumerate((*pixel, 1)):
            group[index] += value
    # The most frequent first; of equal ones the darker, so that the answer is always the same.
    ordered = sorted(groups.items(), key=lambda item: (-item[1][3], item[0]))
    chosen = []
    for _, (*sums, pixels) in ordered:
        colour = [total / pixels for total in sums]
        near = next((other for other in chosen if distance(other["first"], colour) < NEAR), None)
        if near is None:
            chosen.append({"first": colour, "sums": sums, "pixels": pixels})
        else:
            near["sums"] = [a + b for a, b in zip(near["sums"], sums)]
            near["pixels"] += pixels
    chosen.sort(key=lambda one: -one["pixels"])
    return ["#" + "".join(f"{round(total / one['pixels']):02x}" for total in one["sums"]) for one in chosen[:count]]


def distance(one, other):
    return sum((a - b) ** 2 for a, b in zip(one, other)) ** 0.5
