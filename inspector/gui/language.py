"""The language of the window: that of its user, where there is a translation."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from PySide6.QtCore import QCoreApplication, QLibraryInfo, QLocale, QTranslator

from inspector.desktop.program import NAME

#: Where translations are, called `NAME`, ``_``, a language with or without a country, ``.qm``.
_FOLDER: Final = Path(__file__).parent / "translations"


def system_languages() -> Sequence[str]:
    """The languages that the user reads, the best first, as the system knows them."""
    return QLocale.system().uiLanguages()


def load_language(
    application: QCoreApplication, languages: Sequence[str], folder: Path = _FOLDER
) -> None:
    """Translate what is shown from now on to the first of some languages that there is.

    Qt's own words, such as those of its buttons, follow. English needs no translation, and numbers
    are the same in every language.

    Parameters
    ----------
    application
        Owns the translations.
    languages
        As of `system_languages`.
    """
    for language in map(QLocale, languages):
        if language.language() in (QLocale.Language.C, QLocale.Language.English):
            return
        ours = QTranslator(application)
        if ours.load(f"{NAME}_{language.name()}", str(folder)):
            application.installTranslator(ours)
            theirs = QTranslator(application)
            place = QLibraryInfo.path(QLibraryInfo.LibraryPath.TranslationsPath)
            if theirs.load(f"qtbase_{language.name()}", place):
                application.installTranslator(theirs)
            return
