"""The settings, as config.schema.json describes them."""

import json
from dataclasses import dataclass


@dataclass
class Config:
    colours: int = 3

    @classmethod
    def read(cls, text):
        """Reads the JSON text that the host passes. Raises a ValueError that names the field."""
        colours = json.loads(text).get("colours", 3)
        if type(colours) is not int or not 1 <= colours <= 8:
            raise ValueError(f"config.colours is {colours!r}; a whole number from 1 to 8 is expected")
        return cls(colours)
