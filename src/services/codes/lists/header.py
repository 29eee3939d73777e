"""The header of a list: which of its columns has the codes, by the names that columns go by in five languages."""

import re
import unicodedata
from collections.abc import Sequence
from typing import Final

# Words as they are folded: without case, accents, spaces and punctuation.
_CODE: Final = "code codes codigo codigos codice codici"
_NUMBER: Final = "number numbers no id ids serial serials numero numeros num n nummer nummern nr"
_VOUCHER: Final = """
    coupon coupons voucher vouchers bon bons bondereduction bonsdereduction gutschein gutscheine cupon cupones
    vale vales buono buoni buonosconto buonisconto
"""
_BESIDE_THEM: Final = """
    the your our of promo promos promotion promotions promotional coupon coupons voucher vouchers discount access
    advantage offer gift single use unique reference member members membership card customer client subscriber partner
    le la les l d de du des votre vos notre a promotionnel promotionnels bon bons reduction acces avantage usage remise
    cadeau adherent adherents membre membres carte client abonne partenaire serie
    rabatt aktion gutschein gutscheine zugang einmal mitglied mitglieds karten kunden abonnenten partner serien
    el los las descuento acceso promocional promocionales cupon cupones regalo socio socios tarjeta cliente abonado
    il i di sconto accesso promozionale promozionali promozione buono buoni regalo tessera cliente abbonato monouso
"""
_COMPOUND: Final = re.compile(
    """(?:promo|promotion|promotional|promotions|coupon|voucher|discount|access|advantage|member|membership|card|
    customer|gift|gutschein|rabatt|aktions|zugangs|einmal|mitglieds|karten|kunden|abonnenten|partner|serien)
    (?:codes?|(numbers?|nummern?|nr|ids?))""",
    re.VERBOSE,
)
_WORD: Final = re.compile(r"[^\W_]+")
_OTHER_NAMES: Final = """
    date name firstname lastname email mail emailaddress status state valid validity validfrom validuntil validto
    expires expiry expirydate expiration expirationdate offer contact link used usedat remark comment
    nom prenom adressemail courriel statut etat valable valablejusquau valableapartirdu validite validejusquau
    dateexpiration datedexpiration offre lien remarque commentaire
    datum vorname nachname status zustand gultig gultigab gultigbis ablaufdatum angebot bemerkung kommentar
    fecha nombre apellido apellidos correo correoelectronico estado valido validodesde validohasta caducidad
    fechadecaducidad oferta enlace comentario
    data nome cognome stato valida validodal validofinoal valido finoal scadenza datadiscadenza offerta
    collegamento nota commento
"""

_CODES: Final = frozenset(_CODE.split())
_NUMBERS: Final = frozenset(_NUMBER.split())
_VOUCHERS: Final = frozenset(_VOUCHER.split())
_BESIDE: Final = frozenset(_BESIDE_THEM.split())
_OTHERS: Final = frozenset(_OTHER_NAMES.split())


def code_column(cells: Sequence[str]) -> int | None:
    """The column of the codes where these cells, a list's first line, are its header; None where they are not.

    They are one where a cell is called as codes are, or else as numbers of members and cards are; or where the first
    has no digit and one behind it is called as dates, names and states are: then the first column has the codes.
    """
    found = column_called_so(cells)
    if found is not None:
        return found
    names = [folded(cell) for cell in cells]
    has_digits = any(sign.isdecimal() for sign in cells[0])
    return 0 if not has_digits and not _OTHERS.isdisjoint(names[1:]) else None


def column_called_so(cells: Sequence[str]) -> int | None:
    """The column that is called as codes are, or else as numbers of members and cards are."""
    for is_called in (_is_called_code, _is_called_number):
        for column, cell in enumerate(cells):
            if is_called(cell):
                return column
    return None


def _is_called_code(cell: str) -> bool:
    """A voucher alone, or words beside them of which one at least says code; a voucher of some name may be a code."""
    return folded(cell) in _VOUCHERS or _is_made_of(cell, _CODES, or_numbers=False)


def _is_called_number(cell: str) -> bool:
    return _is_made_of(cell, _NUMBERS, or_numbers=True)


def _is_made_of(cell: str, wanted: frozenset[str], *, or_numbers: bool) -> bool:
    is_there = False
    for word in [folded(word) for word in _WORD.findall(unicodedata.normalize("NFC", cell))]:
        compound = _COMPOUND.fullmatch(word)
        if word in wanted or (compound is not None and or_numbers is (compound[1] is not None)):
            is_there = True
        elif word not in _BESIDE and word not in _NUMBERS:
            return False
    return is_there


def named_column(cells: Sequence[str], wanted: str) -> int | None:
    """The column of this name, None where the header has none."""
    names = [folded(cell) for cell in cells]
    return names.index(folded(wanted)) if folded(wanted) in names else None


def folded(name: str) -> str:
    """A column's name as names compare: its letters and digits alone, whatever their case and accents."""
    plain = unicodedata.normalize("NFKD", name).casefold()
    return "".join(sign for sign in plain if sign.isalnum())
