"""Writes sql/half.sql, which is for verahalfvec what other files are for veravec. `--check` only compares.

The types have the same functions, operators, casts and operator classes, so there is one source for both.
"""

import pathlib
import re
import sys

SQL = pathlib.Path(__file__).resolve().parent.parent / "sql"
SOURCES = ["type", "functions", "operators", "casts", "aggregates", "operator_classes", "access_method"]
HEAD = """-- The type verahalfvec, and all that goes with it. Made by scripts/half_sql.py of what there is for veravec, and not
-- edited by hand.

"""
BETWEEN = """-- Casts between vectors of single and of half precision, as of pgvector's types

CREATE FUNCTION veravec_to_verahalfvec(veravec, integer, boolean) RETURNS verahalfvec
	AS 'MODULE_PATHNAME', 'veravec_to_verahalfvec_wrapper' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION veravec_to_verahalfvec(veravec, integer, boolean) IS 'convert veravec to verahalfvec';

CREATE FUNCTION verahalfvec_to_veravec(verahalfvec, integer, boolean) RETURNS veravec
	AS 'MODULE_PATHNAME', 'verahalfvec_to_veravec_wrapper' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION verahalfvec_to_veravec(verahalfvec, integer, boolean) IS 'convert verahalfvec to veravec';

CREATE CAST (veravec AS verahalfvec)
	WITH FUNCTION veravec_to_verahalfvec(veravec, integer, boolean) AS IMPLICIT;

COMMENT ON CAST (veravec AS verahalfvec) IS 'convert veravec to verahalfvec';

CREATE CAST (verahalfvec AS veravec)
	WITH FUNCTION verahalfvec_to_veravec(verahalfvec, integer, boolean) AS ASSIGNMENT;

COMMENT ON CAST (verahalfvec AS veravec) IS 'convert verahalfvec to veravec';
"""


def statements(text):
    """The statements of a file, each with what stands before it."""
    return re.findall(r".*?;\n", text, re.DOTALL)


def half(statement):
    """The statement for the other type; None if there is none."""
    code = re.sub(r"--.*", "", statement)
    if "veravec" not in code or "vector_norm(" in code:
        return None
    statement = statement.replace("veravec", "verahalfvec").replace("single-precision", "half-precision")
    statement = re.sub(r"\t-- A category.*\n", "", statement).replace("'v',\n\tPREFERRED = true", "'v'")
    if "CREATE CAST (verahalfvec AS real[])" in statement:
        statement = statement.replace("AS IMPLICIT", "AS ASSIGNMENT")
    return statement


def main():
    parts = [half(statement) for name in SOURCES for statement in statements((SQL / f"{name}.sql").read_text())]
    text = HEAD + "".join(filter(None, parts)).strip() + "\n\n" + BETWEEN
    target = SQL / "half.sql"
    if sys.argv[1:] == ["--check"]:
        return target.read_text() != text and "sql/half.sql is not what scripts/half_sql.py makes"
    target.write_text(text)
    return None


if __name__ == "__main__":
    sys.exit(main())
