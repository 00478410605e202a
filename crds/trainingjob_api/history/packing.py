"""Text in little room, as `base64 -d | gunzip` reads it."""

import base64
import gzip
import zlib


def pack(text: str) -> str:
    """The same text is always packed the same."""
    return base64.b64encode(gzip.compress(text.encode(), 6, mtime=0)).decode()


def unpack(text: str, limit: int) -> bytes:
    """At most so many bytes: what is packed may come from anybody. ValueError for anything else."""
    stream = zlib.decompressobj(wbits=31)
    try:
        content = stream.decompress(base64.b64decode(text, validate=True), limit)
    except zlib.error as error:
        raise ValueError(f"not compressed by gzip: {error}") from error
    if not stream.eof:
        raise ValueError("cut off, or more than anybody keeps")
    return content
