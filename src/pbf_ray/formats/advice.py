"""What to do about a file that is damaged, by the code of the damage."""

from __future__ import annotations

from typing import Final

__all__ = ["advice_on"]

_AGAIN: Final = "copy or export the file again"
_SKIP: Final = "; on_damage 'skip' reads what is sound"
_ADVICE: Final = {
    "truncated": _AGAIN,
    "bad_header": "export the file again: without its header nothing of it can be read",
    "bad_magic": "docs/formats.md says what is read; most slicers export CLI",
    "bad_number": _AGAIN,
    "bad_command": _AGAIN,
    "bad_count": _AGAIN,
    "bad_offset": _AGAIN,
    "bad_text": _AGAIN,
    "inconsistent": _AGAIN,
    "limit_exceeded": "if the file is meant to be so large, open it with other ReadLimits",
    "unsupported": "docs/formats.md says what is read; most slicers export CLI",
    "out_of_memory": "read fewer layers at once, or on a machine with more memory",
    "io": "read it again when nothing else writes to it",
}


def advice_on(code: str, *, skipped: bool = False) -> str:
    """What to do, empty where nothing general can be said.

    Args:
        code: ``BuildFileError.code``, or ``Damage.code``.
        skipped: Whether damage is skipped already.
    """
    advice = _ADVICE.get(code, "")
    return advice + _SKIP if advice == _AGAIN and not skipped else advice
