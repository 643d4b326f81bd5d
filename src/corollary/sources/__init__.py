"""What a result depends on: `files` finds the sources, `description` makes one text of a function and its bindings."""

from corollary.sources.files import closure, differing, own_modules, package_digests, source_digest, source_files

__all__ = ["closure", "differing", "own_modules", "package_digests", "source_digest", "source_files"]
