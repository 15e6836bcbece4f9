"""Orders that are odd or wrong in one point each: what one side refuses, the other must refuse."""

from collections.abc import Iterator

ORDER = (
    b'{"order_id":"7f3a","event_type":"order_placed","timestamp":"2026-01-01T00:00:00.000Z","customer_id":"CUST-00039",'
    b'"items":[{"product_id":"SKU-00017","quantity":1,"price":76.61},{"product_id":"SKU-00076","quantity":3,"price":65.25}],'
    b'"total":272.36}'
)
LARGE = 64 * 1024 - len(ORDER) - len(b',"x":""')

# What stands in ORDER, and what stands there instead.
ODD = [
    ("", ""),
    (":", ": "),
    ("f3a\"", "f\\u0033a\""),
    ('"total"', '"x":{"total":1,"total":2},"total"'),
    ('"total"', '"x":"a","x":"\u00e4\\"","total"'),
    ('"quantity":3', '"quantity":3,"x":null'),
    ('"total"', f'"x":"{"x" * LARGE}","total"'),
    ("76.61", "76.610"),
    ("76.61", "7661e-2"),
    ("65.25}],\"total\":272.36", "65}],\"total\":271.61"),
    ("00.000Z", "00.950Z"),
    ("00.000Z", "00Z"),
    ("00.000Z", "59.9999999Z"),
    ("00.000Z", "00.1z"),
    ("T00:00:00.000Z", " 02:00:00.0009+02:00"),
    ("2026-01-01T00:00:00.000Z", "1970-01-01T00:00:00.000Z"),
]  # fmt: skip
WRONG = [
    ("}", ""),
    ("{", "[{"),
    ("272.36}", "272.36}}"),
    ("272.36}", "272.36,}"),
    ("272.36}", '272.36,"x":NaN}'),
    ("272.36}", '272.36,"x":"\n"}'),
    ("272.36}", '272.36,"x":"\\ud800"}'),
    ('"total"', f'"x":"{"x" * (LARGE + 1)}","total"'),
    ('"order_id":"7f3a",', ""),
    ('"order_id":"7f3a",', '"order_id":"7f3a","order_id":"7f3a",'),
    ('"order_id"', '"x"'),
    ("7f3a", ""),
    ("7f3a", "7f 3a"),
    ("7f3a", "7f3\u00e4"),
    ("7f3a", "7" * 65),
    ('"7f3a"', "null"),
    ('"7f3a"', "7"),
    ("order_placed", "order_shipped"),
    ("2026-01-01T00:00:00.000Z", "2026-02-29T00:00:00.000Z"),
    ("2026-01-01T00:00:00.000Z", "2026-01-01T24:00:00.000Z"),
    ("2026-01-01T00:00:00.000Z", "2026-01-01T00:00:00.000"),
    ("2026-01-01T00:00:00.000Z", "1969-12-31T23:59:59.999Z"),
    ("2026-01-01T00:00:00.000Z", "1970-01-01T00:30:00.000+01:00"),
    ("2026-01-01T00:00:00.000Z", "2026-01-01"),
    ("2026-01-01T00:00:00.000Z", "20260101T000000Z"),
    ("2026-01-01T00:00:00.000Z", "2026-01-01T00:00:00.\u0660\u0660\u0660Z"),
    ("2026-01-01T00:00:00.000Z", ""),
    ("CUST-00039", "CUST 00039"),
    ("CUST-00039", "C" * 65),
    ("SKU-00017", "SKU/00017"),
    ("SKU-00017", ""),
    ('"quantity":1,', ""),
    ('"quantity":1,', '"quantity":1,"quantity":1,'),
    ('"quantity":1,', '"quantity":1.0,'),
    ('"quantity":1,', '"quantity":1e0,'),
    ('"quantity":1,', '"quantity":true,'),
    ('"quantity":1,', '"quantity":"1",'),
    ('"quantity":1,', '"quantity":0,'),
    ('"quantity":1,', '"quantity":-1,'),
    ('"quantity":1,', '"quantity":1001,'),
    ('"quantity":1,', '"quantity":01,'),
    ("76.61", "76.615"),
    ("76.61", "0"),
    ("76.61", "-76.61"),
    ("76.61", "100000.01"),
    ("76.61", "1e400"),
    ("76.61", "true"),
    ("76.61", '"76.61"'),
    ("272.36", "272.37"),
    ("272.36", "272.3600001"),
    ("272.36", "null"),
    ('[{"product_id"', '[7,{"product_id"'),
    ('"items":[', '"items":[],"x":['),
]


def records() -> Iterator[tuple[bytes | None, bytes | None]]:
    """The keys and values."""
    yield b"7f3b", ORDER
    yield None, ORDER
    yield b"7f3a", None
    yield b"7f3a", b""
    yield b"7f3a", ORDER.replace(b"CUST", b"\xff")
    yield b"7f3a", "\ufeff".encode() + ORDER
    for stands, instead in ODD + WRONG:
        assert stands.encode() in ORDER, stands
        key = instead.encode() if stands == "7f3a" else b"7f3a"
        yield key, ORDER.replace(stands.encode(), instead.encode(), 1 if stands else 0)
