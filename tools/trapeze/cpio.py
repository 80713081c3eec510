"""Archives in cpio's "newc" form, which Linux unpacks as its first file system. Only what an
initial file system needs: folders, files and symbolic links, all of them root's."""

import stat

ALIGNMENT = 4
TRAILER = "TRAILER!!!"


class Archive:
    """An archive in memory; `data()` is what Linux takes, alone or after another archive."""

    def __init__(self):
        self.parts = []
        self.number = 0
        self.folders = set()

    def entry(self, name, mode, content=b""):
        """One entry: a header of hexadecimal numbers, the name, the content, each padded."""
        self.number += 1
        name = name.encode() + b"\0"
        fields = (self.number, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name), 0)
        header = b"070701" + b"".join(b"%08X" % field for field in fields) + name
        self.parts += [header, bytes(-len(header) % ALIGNMENT),
                       content, bytes(-len(content) % ALIGNMENT)]

    def folder(self, path):
        """A folder and those above it, each once."""
        path = path.strip("/")
        if path and path not in self.folders:
            self.folder(path.rpartition("/")[0])
            self.folders.add(path)
            self.entry(path, stat.S_IFDIR | 0o755)

    def file(self, path, content, mode=0o644):
        """A file; `path` is absolute."""
        path = path.strip("/")
        self.folder(path.rpartition("/")[0])
        self.entry(path, stat.S_IFREG | mode, content)

    def link(self, path, target):
        """A symbolic link."""
        path = path.strip("/")
        self.folder(path.rpartition("/")[0])
        self.entry(path, stat.S_IFLNK | 0o777, target.encode())

    def data(self):
        """The whole archive, closed."""
        self.entry(TRAILER, 0)
        return b"".join(self.parts)
