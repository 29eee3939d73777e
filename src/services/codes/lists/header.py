"""The header of a list: which of its columns has the codes, by the names that columns go by in five languages."""

import unicodedata
from collections.abc import Sequence
from typing import Final

# As they are folded: without case, accents, spaces and punctuation.
_CODE_NAMES: Final = """
    code codes thecode
    promocode promocodes promotioncode promotionalcode couponcode couponcodes coupon coupons
    vouchercode vouchercodes voucher vouchers discountcode accesscode advantagecode singleusecode membercode
    membernumber membershipnumber cardnumber
    codepromo codespromo codepromotionnel codespromotionnels codedacces codereduction codedereduction
    codeavantage codeausageunique bon bons bondereduction numerodadherent numeroadherent numerodemembre
    numerodecarte
    gutschein gutscheine gutscheincode gutscheincodes gutscheinnummer gutscheinnummern rabattcode rabattcodes
    aktionscode aktionscodes promotionscode zugangscode einmalcode mitgliedsnummer mitgliedsnummern kartennummer
    codigo codigos codigopromocional codigospromocionales codigodedescuento codigodeacceso cupon cupones
    numerodesocio numerodetarjeta
    codice codici codicepromo codicepromozionale codicipromozionali codicesconto codicidisconto codicediaccesso
    buono buoni buonosconto numerotessera numerodisocio
"""
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

_CODES: Final = frozenset(_CODE_NAMES.split())
_OTHERS: Final = frozenset(_OTHER_NAMES.split())


def code_column(cells: Sequence[str]) -> int | None:
    """The column of the codes where these cells, a list's first line, are its header; None where they are not.

    They are one where a cell is called as codes are, or where the first has no digit and one behind it is called as
    dates, names and states are: then the first column has the codes.
    """
    names = [folded(cell) for cell in cells]
    for column, name in enumerate(names):
        if name in _CODES:
            return column
    has_digits = any(sign.isdecimal() for sign in cells[0])
    return 0 if not has_digits and not _OTHERS.isdisjoint(names[1:]) else None


def named_column(cells: Sequence[str], wanted: str) -> int | None:
    """The column of this name, None where the header has none."""
    names = [folded(cell) for cell in cells]
    return names.index(folded(wanted)) if folded(wanted) in names else None


def folded(name: str) -> str:
    """A column's name as names compare: its letters and digits alone, whatever their case and accents."""
    plain = unicodedata.normalize("NFKD", name).casefold()
    return "".join(sign for sign in plain if sign.isalnum())
