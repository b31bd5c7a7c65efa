"""Lists of tags, read while they come: half a million names in the memory of one piece.

{"name": …, "manifest": {…}, "tags": ["latest", …]}
    └────────────┴── passed over     └── yielded one by one
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Generator, Iterable, Iterator

from imagestreams.upstream.errors import Malformed

LONGEST_NAME = 1024
"""The most characters of the name of a tag; those that can be pulled have 128 at most."""
LONGEST_TOKEN = 64 * 1024
"""The most characters of one text or number, as it is written."""
DEEPEST = 64
"""The most objects and lists around a value."""

_SPACE = re.compile(r"[ \t\r\n]*+")
_NAME = re.compile(r'[ \t\r\n]*+"([^"\\\x00-\x1f]*+)"[ \t\r\n]*+([,\]])')
_TEXT = re.compile(r'"[^"\\\x00-\x1f]*+(?:\\.[^"\\\x00-\x1f]*+)*+"')
_WORD = re.compile(r"[-+.0-9A-Za-z]++(?=[ \t\r\n,:\]}])")
_NO_NAMES = "the list of tags is no list of names"


def names(pieces: Iterable[bytes]) -> Iterator[str]:
    """Yield the tags in a list of tags while its pieces come; raises Malformed, also for what is nested too deep."""
    source = _Source(pieces)
    if source.peek() != "{":
        raise Malformed(_NO_NAMES if source.peek() in '["-0123456789tfn' else source.complaint())
    source.expect("{")
    end = source.expect("}") if source.peek() == "}" else ","
    while end == ",":
        key = source.text()
        source.expect(":")
        if key == "tags":
            yield from _tags(source)
        else:
            _pass_over(source)
        end = source.expect(",}")
    source.finish()


def _tags(source: _Source) -> Iterator[str]:
    """Yield the names in the list that comes next, none where it is null."""
    if source.peek() != "[":
        if source.word() != "null":
            raise Malformed(_NO_NAMES)
        return
    source.expect("[")
    end = source.expect("]") if source.peek() == "]" else ","
    while end == ",":
        # Those that came whole and need no decoding: nearly all, so this is where the time goes.
        end = yield from source.plain_names()
        if end == ",":
            if source.peek() != '"':
                raise Malformed(_NO_NAMES)
            yield source.text(longest=LONGEST_NAME)
            end = source.expect(",]")


def _pass_over(source: _Source) -> None:
    """Use the value that comes next, whatever it is."""
    depth = 0
    while True:
        first = source.peek()
        if first == '"':
            source.text()
        elif first in "{[":
            source.expect("{[")
            depth += 1
            if depth > DEEPEST:
                raise Malformed("exceeded max depth")
        elif first in "}]":
            source.expect("}]" if depth else "")
            depth -= 1
        elif first in ",:":
            source.expect(",:" if depth else "")
        else:
            source.word()
        if not depth:
            return


class _Source:
    """The text that came and was not used yet."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = iter(pieces)
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._is_over = False
        self._come = ""
        self._at = 0

    def peek(self) -> str:
        """Return the next character that is no space and leave it there."""
        while not self._skip_space():
            if not self._more(1):
                raise Malformed("unexpected end of JSON input")
        return self._come[self._at]

    def expect(self, wanted: str) -> str:
        """Return the next character, which is one of those that are wanted."""
        found = self.peek()
        if found not in wanted:
            raise Malformed(self.complaint())
        self._at += 1
        return found

    def text(self, *, longest: int = LONGEST_TOKEN) -> str:
        """Return the text that comes next."""
        if self.peek() != '"':
            raise Malformed(self.complaint())
        # Each character may be written as `\uXXXX`.
        written = self._token(_TEXT, most=min(6 * longest + 2, LONGEST_TOKEN))
        try:
            found = str(json.loads(written))
            found.encode()
        except ValueError as error:
            raise Malformed("invalid character in string literal") from error
        if len(found) > longest:
            raise Malformed(f"a text in the list of tags has more than {longest} characters")
        return found

    def word(self) -> str:
        """Return the number, true, false or null that comes next."""
        if not (self.peek().isascii() and (self.peek().isalnum() or self.peek() in "-+.")):
            raise Malformed(self.complaint())
        return self._token(_WORD, most=LONGEST_TOKEN)

    def plain_names(self) -> Generator[str, None, str]:
        """Yield the names that came whole and need no decoding; return the comma or bracket behind the last."""
        match, come, at, end = _NAME.match, self._come, self._at, ","
        while end == "," and (found := match(come, at)) is not None:
            name, end = found.groups()
            if len(name) > LONGEST_NAME:
                raise Malformed(f"a text in the list of tags has more than {LONGEST_NAME} characters")
            self._at = at = found.end()
            yield name
        return end

    def finish(self) -> None:
        """Read to the end, where nothing is but space."""
        while not self._skip_space():
            if not self._more(1):
                return
        raise Malformed(f"invalid character {self._come[self._at]!r} after top-level value")

    def complaint(self) -> str:
        """Return what is wrong with the next character."""
        return f"invalid character {self.peek()!r} looking for beginning of value"

    def _skip_space(self) -> bool:
        """Return whether something else than space is there."""
        found = _SPACE.match(self._come, self._at)
        self._at = found.end() if found else self._at
        return self._at < len(self._come)

    def _token(self, pattern: re.Pattern[str], *, most: int) -> str:
        while True:
            found = pattern.match(self._come, self._at)
            if found is not None:
                self._at = found.end()
                return found[0]
            there = len(self._come) - self._at
            if there > most:
                raise Malformed(f"a text in the list of tags has more than {most} characters")
            # As much again, so that a text which comes letter by letter is not looked at as often.
            if not self._more(there):
                raise Malformed("unexpected end of JSON input")

    def _more(self, least: int) -> bool:
        """Read on, behind what is left; False at the end."""
        come = [self._come[self._at :]]
        new = 0
        while new < least and not self._is_over:
            piece = next(self._pieces, b"")
            self._is_over = not piece
            try:
                come.append(self._decoder.decode(piece, final=self._is_over))
            except UnicodeDecodeError as error:
                raise Malformed("invalid UTF-8 in the list of tags") from error
            new += len(come[-1])
        self._come, self._at = "".join(come), 0
        return new > 0
