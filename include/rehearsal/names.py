"""Invented names; nobody here exists."""

from __future__ import annotations

import unicodedata

_GIVEN = (
    "Ada, Aisha, Alejandro, Amir, Ana, Ben, Bella, Björn, Carlos, Chloé, Clara, Dang, David, Dina, "
    "Elena, Emil, Esi, Fatima, Felix, Finn, Grace, Hana, Hugo, Ines, Ivan, Jada, Jonas, José, Kai, "
    "Keiko, Kira, Lena, Leo, Liam, Luz, Malik, Maya, Mei, Nadia, Noah, Nora, Olivia, Omar, Pablo, "
    "Paula, Priya, Quinn, Rafael, Renée, Rosa, Sam, Santiago, Sasha, Siobhán, Tara, Theo, Uma, "
    "Victor, Wanda, Xavier, Yara, Yusuf, Zara, Zoë"
)
_FAMILY = (
    "Abara, Adler, Álvarez, Bauer, Begum, Brooks, Castillo, Chen, Cohen, Diaz, Duarte, Eriksen, "
    "Evans, Farah, Fischer, Garcia, Gupta, Haddad, Hoang, Ibarra, Iyer, Jensen, Johnson, Kaya, "
    "Kimura, Kowalski, Lee, Lopez, Mbeki, Miller, Moreau, Müller, Nguyen, Novak, Núñez, Okafor, "
    "Olsen, Patel, Petrov, Quigley, Ramirez, Reyes, Rossi, Sato, Schmidt, Silva, Singh, Smith, "
    "Tanaka, Torres, Tran, Ueda, Usman, Vargas, Weber, Williams, Xu, Yilmaz, Young, Zimmer, O'Brien, "
    "de la Cruz, Van Dyke, St. Clair"
)
GIVEN, FAMILY = tuple(_GIVEN.split(", ")), tuple(_FAMILY.split(", "))


def plain(name: str) -> str:
    """The name as an e-mail address can carry it: ASCII letters, lower-case."""
    letters = unicodedata.normalize("NFKD", name).casefold()
    return "".join(letter for letter in letters if letter.isascii() and letter.isalpha())
