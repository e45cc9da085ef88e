"""Harmless company: the files that desktop systems and editors leave in a folder by themselves.

They are no part of an archive or of results. Nothing reads them, and no claim suffers from them;
they are named, so that nobody takes them for a part that was checked.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_FOLDERS = re.compile(
    r"__MACOSX|\.Spotlight-V100|\.Trashes|\.Trash-\d+|\.fseventsd|\.TemporaryItems"
    r"|\.DocumentRevisions-V100|\.AppleDouble|\$RECYCLE\.BIN|System Volume Information|@eaDir"
    r"|\.idea|\.vscode"
)
_FILES = re.compile(
    r"\.DS_Store|\.localized|\.apdisk|\.VolumeIcon\.icns|Icon\r|\._.+"  # macOS
    r"|(?i:thumbs\.db|ehthumbs\.db|desktop\.ini)|~\$.+"  # Windows, and its office programs
    r"|\.directory|\.nfs[0-9a-f]+|\.fuse_hidden[0-9a-f]+|\.~lock\..+#"  # Linux, LibreOffice
    r"|\.#.+|#.+#|.+~|\..+\.sw[a-p]|\..+\.kate-swp",  # Emacs, Vim, Kate
    re.DOTALL,
)


def is_company(name: str) -> bool:
    """Whether a file (or folder) of this name is harmless company; name: relative, with `/`."""
    *folders, last = name.rstrip("/").split("/")
    return any(map(_FOLDERS.fullmatch, (*folders, last))) or bool(_FILES.fullmatch(last))


def left_behind(folder: str, names: Iterable[str]) -> set[str]:
    """Those of the names that are company; to be given to shutil.copytree as `ignore`."""
    return {name for name in names if is_company(name)}


def note_on(name: str) -> str:
    """What is said to the user of a file that is company; the name is to be shown by `printed`."""
    return f"{name}: left by a file manager or an editor; not part of the archive, ignored"
