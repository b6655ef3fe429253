"""Colours: light and dark palettes, and the colours that mark special values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QColor, QPalette
from PySide6.QtWidgets import QApplication

from inspector.gui.fonts import scaled

Appearance = Literal["system", "light", "dark"]

Rgb = tuple[int, int, int]

#: Colours of the values that a colour map cannot show. None of them lies near a colour of the maps
#: on offer, nor near another of them for readers who see red and green alike.
NAN: Final[Rgb] = (255, 0, 212)
POSITIVE_INFINITY: Final[Rgb] = (0, 229, 255)
NEGATIVE_INFINITY: Final[Rgb] = (255, 145, 0)


@dataclass(frozen=True, slots=True)
class _Colours:
    """Of one appearance. ``base`` lies behind text and lists, ``field`` behind what is typed, and
    ``box`` behind a tick: the style frames these in a dark colour, which on dark shows nothing.
    """

    window: str
    base: str
    field: str
    box: str
    alternate: str
    text: str
    faint: str
    button: str
    border: str
    highlight: str
    highlighted: str
    link: str
    alarm: str


_LIGHT: Final = _Colours(
    window="#f3f4f6",
    base="#ffffff",
    field="#ffffff",
    box="#ffffff",
    alternate="#f7f8fa",
    text="#1b212c",
    faint="#667085",
    button="#ffffff",
    border="#cfd4dc",
    highlight="#2f6bd8",
    highlighted="#ffffff",
    link="#1d5cc7",
    alarm="#c0291d",
)
_DARK: Final = _Colours(
    window="#20242b",
    base="#171a1f",
    field="#323945",
    box="#434b59",
    alternate="#1c2026",
    text="#e3e7ee",
    faint="#98a2b3",
    button="#2a2f38",
    border="#3a414d",
    highlight="#3772d9",
    highlighted="#ffffff",
    link="#7fb0ff",
    alarm="#ff8f85",
)


def palette(dark: bool) -> QPalette:
    """The whole palette, light or dark."""
    colours = _DARK if dark else _LIGHT
    roles = {
        QPalette.ColorRole.Window: colours.window,
        QPalette.ColorRole.WindowText: colours.text,
        QPalette.ColorRole.Base: colours.base,
        QPalette.ColorRole.AlternateBase: colours.alternate,
        QPalette.ColorRole.Text: colours.text,
        QPalette.ColorRole.PlaceholderText: colours.faint,
        QPalette.ColorRole.Button: colours.button,
        QPalette.ColorRole.ButtonText: colours.text,
        QPalette.ColorRole.BrightText: "#ffffff",
        QPalette.ColorRole.ToolTipBase: colours.button,
        QPalette.ColorRole.ToolTipText: colours.text,
        QPalette.ColorRole.Highlight: colours.highlight,
        QPalette.ColorRole.HighlightedText: colours.highlighted,
        QPalette.ColorRole.Link: colours.link,
        QPalette.ColorRole.LinkVisited: colours.link,
        QPalette.ColorRole.Light: colours.button,
        QPalette.ColorRole.Midlight: colours.alternate,
        QPalette.ColorRole.Mid: colours.border,
        QPalette.ColorRole.Dark: colours.border,
        QPalette.ColorRole.Shadow: "#000000",
        QPalette.ColorRole.Accent: colours.highlight,
    }
    made = QPalette()
    for role, colour in roles.items():
        made.setColor(role, QColor(colour))
    for role in (
        QPalette.ColorRole.WindowText,
        QPalette.ColorRole.Text,
        QPalette.ColorRole.ButtonText,
    ):
        made.setColor(QPalette.ColorGroup.Disabled, role, mixed(colours.text, colours.window, 0.55))
    return made


def class_palettes(dark: bool) -> dict[str, QPalette]:
    """What differs from `palette` for widgets of some classes, by the class's name."""
    colours = _DARK if dark else _LIGHT
    made = {}
    for name, base in (
        ("QLineEdit", colours.field),
        ("QAbstractSpinBox", colours.field),
        ("QCheckBox", colours.box),
        ("QRadioButton", colours.box),
    ):
        made[name] = palette(dark)
        made[name].setColor(QPalette.ColorRole.Base, QColor(base))
    return made


def mixed(first: str | QColor, second: str | QColor, share: float) -> QColor:
    """The colour between two, `share` (0 to 1) of the way to the second."""
    a, b = QColor(first), QColor(second)
    return QColor.fromRgbF(
        a.redF() + (b.redF() - a.redF()) * share,
        a.greenF() + (b.greenF() - a.greenF()) * share,
        a.blueF() + (b.blueF() - a.blueF()) * share,
    )


def faint(of: QPalette) -> QColor:
    """The colour of text that stands back."""
    return of.color(QPalette.ColorRole.PlaceholderText)


def alarm(of: QPalette) -> QColor:
    """The colour of text that warns, or that cannot be taken."""
    return QColor((_DARK if is_dark(of) else _LIGHT).alarm)


def is_dark(of: QPalette) -> bool:
    """Whether text is lighter than what it stands on."""
    text, base = of.color(QPalette.ColorRole.Text), of.color(QPalette.ColorRole.Base)
    return text.lightnessF() > base.lightnessF()


class Theme(QObject):
    """Gives the application its palette and the size of its font.

    It follows the system where it is asked to.

    Parameters
    ----------
    guest
        Whether the application is somebody else's. It keeps its own palette and font, unless the
        user asks for others.
    """

    changed = Signal()

    def __init__(self, application: QApplication, *, guest: bool = False) -> None:
        super().__init__(application)
        self._application = application
        self._found = application.palette() if guest else None
        self._appearance: Appearance = "system"
        self._font = application.font()
        self._zoom = 100
        application.styleHints().colorSchemeChanged.connect(self._apply)
        self._apply()

    @property
    def appearance(self) -> Appearance:
        """What was asked for."""
        return self._appearance

    def set_appearance(self, appearance: Appearance) -> None:
        """Be light, be dark, or follow the system."""
        self._appearance = appearance
        self._apply()

    @property
    def zoom(self) -> int:
        """The size of the interface, in percent of the system's."""
        return self._zoom

    def set_zoom(self, percent: int) -> None:
        """Make the interface larger or smaller."""
        if percent != self._zoom:
            self._zoom = percent
            self._application.setFont(scaled(self._font, percent / 100))

    def _apply(self) -> None:
        if self._found is not None and self._appearance == "system":
            self._application.setPalette(self._found)
            self.changed.emit()
            return
        scheme = self._application.styleHints().colorScheme()
        dark = self._appearance == "dark" or (
            self._appearance == "system" and scheme == Qt.ColorScheme.Dark
        )
        self._application.setPalette(palette(dark))
        for name, its_own in class_palettes(dark).items():
            # The stubs ask for bytes, which it refuses.
            self._application.setPalette(its_own, name)  # type: ignore[arg-type]
        self.changed.emit()
