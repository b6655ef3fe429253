"""What the window says, in the language of its user."""

from __future__ import annotations

from dataclasses import dataclass
from typing import overload

from PySide6.QtCore import QCoreApplication

#: Numbers above decide a plural by their last six digits, as Qt takes no more than 32 bits.
_MILLION = 10**6


@dataclass(frozen=True, slots=True)
class Texts:
    """The texts of one part of the window: a context, as Qt calls it.

    ``pyside6-lupdate`` finds ``Name.tr("…")`` in the sources and takes ``Name`` for the context, so
    a variable that holds this is called like it. The text is a literal, and what is different each
    time has a named field in it, as of `str.format`: an f-string would be translated by nobody.

    On any thread.
    """

    context: str

    @overload
    def tr(self, text: str, /, **fields: object) -> str: ...

    @overload
    def tr(self, text: str, singular: str, number: int, /, **fields: object) -> str: ...

    def tr(
        self, text: str, singular: str = "", number: int | None = None, /, **fields: object
    ) -> str:
        """A text as the user reads it.

        Parameters
        ----------
        text
            In English; of a text with a number, for more than one.
        singular
            For one. Translators see it beside the text, and have as many forms as their language.
        number
            Decides the form, and is the field ``n``.
        fields
            What is put into the text. Numbers are written by Python, alike in every language.
        """
        if number is None:
            found = english = text
            found = QCoreApplication.translate(self.context, text)
        else:
            fields["n"] = number
            form = number if number < _MILLION else _MILLION + number % _MILLION
            found = QCoreApplication.translate(self.context, text, singular, form)
            english = singular if number == 1 else text
            if found == text:
                found = english
        if not fields:
            return found
        try:
            return found.format(**fields)
        except (LookupError, ValueError, AttributeError):
            return english.format(**fields)  # the translation has fields that there are not

    def QT_TR_NOOP(self, text: str, /) -> Later:
        """Mark a text that is translated when it is shown: on import, no language is known."""
        return Later(self, text)


@dataclass(frozen=True, slots=True)
class Later:
    """A marked text; a call gives it as the user reads it."""

    texts: Texts
    english: str

    def __call__(self, **fields: object) -> str:
        return self.texts.tr(self.english, **fields)
