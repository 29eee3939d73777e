"""Renders ``db.core.tables`` as the SQL of a first migration: ``python tests/db/migrations/render_schema.py``."""

from sqlalchemy import URL, Sequence, Table
from sqlalchemy.schema import CreateIndex, CreateSequence, CreateTable

from db.core.tables import metadata


def render() -> str:
    postgresql = URL.create("postgresql").get_dialect()()
    elements: list[CreateTable | CreateIndex | CreateSequence] = [
        CreateSequence(sequence) for sequence in metadata._sequences.values() if isinstance(sequence, Sequence)
    ]
    for table in metadata.sorted_tables:
        assert isinstance(table, Table)
        elements.append(CreateTable(table))
        elements += [CreateIndex(index) for index in sorted(table.indexes, key=lambda index: str(index.name))]
    statements = (str(element.compile(dialect=postgresql)).strip() for element in elements)
    return "\n\n".join(line + ";" for line in statements).replace("\t", "    ").replace(" \n", "\n") + "\n"


if __name__ == "__main__":
    import sys

    sys.stdout.write(render())
