"""What the host calls. The contract is wit/deps/toq-media-1.0.0."""

import base64

import componentize_py_types
from wit_world import exports
from wit_world.imports import log, objects
from wit_world.imports.types import Failure_Corrupt, Failure_InvalidInput

import jpeg
from colours import dominant
from config import Config
from thumbhash import LARGEST, thumbhash

# The longest JPEG that is read, in bytes. A thumbnail has a few thousand.
MOST_BYTES = 1 << 20


class AssetStage(exports.AssetStage):
    def process(self, ctx, asset):
        try:
            config = Config.read(ctx.config)
        except ValueError as error:
            raise componentize_py_types.Err(Failure_InvalidInput(str(error)))
        source = smallest(asset)
        if source is None:
            return asset  # No photo, or one without a thumbnail.
        key, etag, orientation = source
        try:
            picture = jpeg.eighth(read(key, etag)).upright(orientation)
        except jpeg.Unsupported as why:
            # A photo without a placeholder is no failure.
            log.write(log.Level.WARN, "no placeholder was made", [("key", key), ("reason", str(why))])
            return asset
        except jpeg.Corrupt as why:
            raise componentize_py_types.Err(Failure_Corrupt(f"{key}: {why}"))
        picture = picture.reduced(LARGEST)
        found = dict(asset.attributes)
        found["thumbhash"] = base64.b64encode(thumbhash(picture)).decode()
        found["colours"] = " ".join(dominant(picture, config.colours))
        asset.attributes = list(found.items())
        return asset


def smallest(asset):
    """Key, entity tag and orientation of the shortest JPEG: a rendition, which is upright, or else the upload itself."""
    files = [(r.bytes, r.key, r.etag, 1) for r in asset.renditions if r.content_type == "image/jpeg"]
    if not files and asset.content_type == "image/jpeg" and asset.bytes is not None:
        files = [(asset.bytes, asset.key, asset.etag, asset.orientation or 1)]
    files = [file for file in files if file[0] <= MOST_BYTES]
    return min(files)[1:] if files else None


def read(key, etag):
    # With the entity tag, a file that was replaced meanwhile is a `mismatch` and not a wrong result.
    with objects.Object.open(key, etag) as source:
        end, pieces, at = source.info().bytes, [], 0
        while at < end:
            pieces.append(source.read(at, MOST_BYTES))
            at += len(pieces[-1])
    return b"".join(pieces)
